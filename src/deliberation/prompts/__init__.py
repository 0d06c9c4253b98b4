"""What the models read: role presets and templates as package data, rendered with what all seats share first.

A model server caches the beginning of a prompt that it has seen before. So all that the seats of a run have in common
stands first, byte for byte equal, and what differs (the role, which answer is one's own) comes last.
"""
