"""The command `chat`."""

from __future__ import annotations

from ..programs.command import Command
from ..programs.launch import launch
from ..radio import radio_command
from ..talking import talking
from .program import Chat, Echo


@radio_command()
@talking
def command(command: Command) -> int:
    """Talk with everybody in range who runs this: a line that you type goes
    to all of them, and each says that he has it. The simplest use of the
    library, with no network and no Reticulum.

    \b
    Exit code: 0, also after Ctrl-C, if all texts have arrived; 1 if not.
    """
    return launch(command, Chat, Echo)
