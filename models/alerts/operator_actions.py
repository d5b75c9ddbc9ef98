"""What to do about an alert: a code for machines, words for the operator and the tenant, and what comes after.

NVIDIA's action words are those of its XID catalogue (docs.nvidia.com/deploy/xid-errors). The driver's recovery
actions are NVML's ``nvmlDeviceGpuRecoveryAction_t``, field 1523 of DCGM and XID 154.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from schemas.alert import ActionCode, Status

# What follows where an action did not help: from the GPU to its host to its replacement.
LADDERS: Final[Mapping[ActionCode, tuple[ActionCode, ...]]] = {
    "see_text": (),
    "none": (),
    "watch": ("run_diagnostics", "contact_support"),
    "check_application": ("run_diagnostics", "contact_support"),
    "restart_app": ("run_diagnostics", "contact_support"),
    "restart_vm": ("reset_gpu", "contact_support"),
    "update_software": ("contact_support",),
    "check_telemetry": ("restart_node",),
    "check_host": ("restart_node", "power_cycle", "replace"),
    "check_cooling": ("drain", "replace"),
    "check_power": ("drain", "contact_support"),
    "check_link": ("reset_gpu", "run_diagnostics", "replace"),
    "run_diagnostics": ("replace", "contact_support"),
    "drain": ("reset_gpu", "restart_node", "replace"),
    "reset_gpu": ("restart_node", "replace"),
    "drain_and_reset": ("restart_node", "replace"),
    "recover_fabric": ("restart_node", "contact_support"),
    "restart_node": ("power_cycle", "replace"),
    "power_cycle": ("replace", "contact_support"),
    "replace": ("contact_support",),
    "contact_support": (),
}

# From what takes nothing from anybody to what takes most; of two first actions for one fault the later is given.
_BY_STRENGTH: Final[tuple[ActionCode, ...]] = (
    "see_text",
    "none",
    "watch",
    "check_telemetry",
    "check_application",
    "restart_app",
    "update_software",
    "run_diagnostics",
    "check_cooling",
    "check_power",
    "check_link",
    "contact_support",
    "restart_vm",
    "drain",
    "reset_gpu",
    "drain_and_reset",
    "check_host",
    "recover_fabric",
    "restart_node",
    "power_cycle",
    "replace",
)
_STRENGTHS: Final = {code: strength for strength, code in enumerate(_BY_STRENGTH)}


def strength(code: ActionCode) -> int:
    """Return how much an action takes from whom it concerns.

    >>> strength("restart_node") > strength("reset_gpu") > strength("watch")
    True
    """
    return _STRENGTHS[code]


_RUNS_ON: Final = "Your job runs on; nothing to do."
_OVER: Final = "It is over; nothing more to do."
_STOPS: Final = "Save your work: the GPU is taken away for repair, and the job must start again elsewhere."
_RESTARTS: Final = "Restart your job: it was hit by a fault, and its results since then are not safe."
_NODE_STOPS: Final = "Save your work: the whole node restarts, and every job on it must start again elsewhere."
# For whose job was hit; never what only an operator can do. ``drain``: what runs may end, nothing new begins.
TENANT_TEXTS: Final[Mapping[ActionCode, str]] = {
    "see_text": "",
    "none": _RUNS_ON,
    "watch": _RUNS_ON,
    "check_application": "Check your application: the fault is most likely its own.",
    "restart_app": _RESTARTS,
    "restart_vm": "Restart your virtual machine: its GPU was hit by a fault.",
    "update_software": _RUNS_ON,
    "check_telemetry": "Your job runs on; its GPU is not being watched for now.",
    "check_host": "Your job may have stopped: its GPU or its node does not report.",
    "check_cooling": "Your job runs more slowly: the GPU is too hot.",
    "check_power": "Your job runs more slowly: the GPU is short of power.",
    "check_link": "Your job may stall or fail where it uses the links between GPUs.",
    "run_diagnostics": "Your job may be moved: the GPU is to be tested.",
    "drain": "Your job can end; the GPU is reset after it. Where a fault hit it, check its results.",
    "reset_gpu": _STOPS,
    "drain_and_reset": _STOPS,
    "recover_fabric": "Jobs over several nodes may fail: the fabric between them is being restored.",
    "restart_node": _NODE_STOPS,
    "power_cycle": _NODE_STOPS,
    "replace": _STOPS,
    "contact_support": "Your job may be affected: the fault is being looked into.",
}


@dataclass(frozen=True, slots=True)
class Action:
    """One action.

    Parameters
    ----------
    code
        For machines.
    text
        For the operator; begins with NVIDIA's word and a colon where there is one.
    ladder
        What follows where it did not help; by default that of the code.
    """

    code: ActionCode
    text: str
    ladder: tuple[ActionCode, ...] = ()

    def __post_init__(self) -> None:
        if not self.ladder:
            object.__setattr__(self, "ladder", LADDERS[self.code])

    def tenant_text(self, status: Status) -> str:
        """Return what the one whose job was hit is to know."""
        return TENANT_TEXTS[self.code] if status == "firing" else _OVER

    @property
    def rank(self) -> int:
        """How strong it is, by NVIDIA's word; -1: it has none.

        >>> DRAIN_AND_RESET.rank > xid_action("RESET_GPU").rank > Action("watch", "look at it").rank
        True
        """
        word = self.text.partition(":")[0]
        return _RANKS.get(word, -1)


# NVIDIA's words from nothing to do to the most that can be done (DRAIN_AND_RESET and REPLACE are its workflows'),
# each with its code and what to do first; among the actions of one alert the strongest is given.
_WORDS: Final[tuple[tuple[str, ActionCode, str], ...]] = (
    ("IGNORE", "none", "nothing now"),
    ("CONTACT_SUPPORT", "contact_support", "contact support"),
    ("CHECK_UVM", "check_application", "check the application's use of unified memory"),
    ("RESTART_APP", "restart_app", "restart the application"),
    ("RESTART_VM", "restart_vm", "restart the virtual machine"),
    ("UPDATE_SWFW", "update_software", "update driver and firmware"),
    (
        "WORKFLOW_NVLINK5_ERR",
        "restart_app",
        "follow the recovery action of XID 154; without one restart the application",
    ),
    ("CHECK_MECHANICALS", "check_power", "check the auxiliary power cable and the board's seating"),
    ("WORKFLOW_NVLINK_ERR", "check_link", "check seating of the link, reset the GPU, run diagnostics"),
    ("RESET_GPU", "reset_gpu", "drain the GPU and reset it"),
    ("WORKFLOW_XID_48", "drain_and_reset", "drain the GPU, reset it, then run field diagnostics"),
    ("DRAIN_AND_RESET", "drain_and_reset", "drain the node, then reset the GPU; rows are remapped by the reset"),
    ("REPLACE", "replace", "take the GPU out of service, reset it, open an RMA: remapping failed"),
    ("RESTART_BM", "restart_node", "drain the node and restart it"),
)
_RANKS: Final = {word: rank for rank, (word, _, _) in enumerate(_WORDS)}
XID_ACTIONS: Final[Mapping[str, Action]] = {word: Action(code, f"{word}: {text}") for word, code, text in _WORDS}
NO_WORD: Final = Action("contact_support", "no action is given; contact support if it repeats")

DRAIN_AND_RESET: Final = XID_ACTIONS["DRAIN_AND_RESET"]
REMAP_FAILED: Final = XID_ACTIONS["REPLACE"]
RUN_DIAGNOSTICS: Final = Action(
    "run_diagnostics", "RUN_DCGMEUD: run extended diagnostics on this GPU, then field diagnostics"
)
CONTACT_SUPPORT: Final = Action(
    "contact_support", "CONTACT_SUPPORT: it comes back after every remedy; run field diagnostics"
)
RMA: Final = Action("replace", "Take the GPU out of service, run field diagnostics and open an RMA")

RECOVERY_ACTIONS: Final[Mapping[int, tuple[ActionCode, str]]] = {
    0: ("none", "do nothing"),
    1: ("reset_gpu", "reset the GPU"),
    2: ("restart_node", "restart the node"),
    3: ("drain", "drain peer-to-peer work"),
    4: ("drain_and_reset", "drain the GPU, then reset it"),
    5: ("recover_fabric", "recover the IMEX domain"),
    6: ("reset_gpu", "reset the GPU's bus"),
    7: ("restart_node", "restart the system"),
}


def xid_action(word: str) -> Action:
    """Return the action of NVIDIA's word.

    >>> xid_action("RESTART_APP").code, xid_action("RESTART_APP").text
    ('restart_app', 'RESTART_APP: restart the application')
    """
    if not word:
        return NO_WORD
    return XID_ACTIONS.get(word) or Action("contact_support", f"{word}: see NVIDIA's XID documentation")


def recovery_words(value: int) -> str:
    """Return what the driver asks for by its number; a number that nobody has described yet is named.

    >>> recovery_words(2), recovery_words(99)
    ('restart the node', 'recovery action 99')
    """
    return RECOVERY_ACTIONS[value][1] if value in RECOVERY_ACTIONS else f"recovery action {value}"


def recovery_action(value: int) -> Action:
    """Return the action that the driver asks for; an unknown number is for support.

    >>> recovery_action(99).code
    'contact_support'
    """
    code: ActionCode = RECOVERY_ACTIONS[value][0] if value in RECOVERY_ACTIONS else "contact_support"
    return Action(code, f"Follow the driver's recovery action: {recovery_words(value)}")


def action_of_text(text: str) -> Action:
    """Return the action of a text that was kept without its code, as release 0.1.0 did.

    >>> action_of_text("RESET_GPU: drain the GPU and reset it").code, action_of_text("look at it").code
    ('reset_gpu', 'see_text')
    """
    found = _BY_TEXT.get(text)
    if found is not None:
        return found
    word = text.partition(":")[0]
    return Action(XID_ACTIONS[word].code if word in XID_ACTIONS else "see_text", text)


_BY_TEXT: Final = {
    action.text: action
    for action in (
        *XID_ACTIONS.values(),
        NO_WORD,
        RUN_DIAGNOSTICS,
        CONTACT_SUPPORT,
        RMA,
        *(recovery_action(value) for value in RECOVERY_ACTIONS),
    )
}
