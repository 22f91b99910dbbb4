"""What can go wrong with the stack, said in one line."""


class StackError(Exception):
    """The stack cannot do it. Its text is one line for people: what is wrong, then what to do about it."""

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(f"{problem}: {cure}")
        self.problem = problem
        self.cure = cure
