"""Re-identification: whose rows are those of a release that has no names?

`linkage` links a release to a register of named people by what both have in common.
"""
