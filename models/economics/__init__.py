"""What a GPU is worth kept, sold or taken out of service, and the advice that follows."""
