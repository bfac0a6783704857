for event in events:
    pass
