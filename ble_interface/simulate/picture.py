"""d"""
def draw(outcome: object) -> str:
    return ""
