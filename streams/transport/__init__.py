"""Faust's transport as we need it. The one room allowed private names of Faust and aiokafka."""
