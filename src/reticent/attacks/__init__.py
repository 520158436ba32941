"""Attacks: from access to scores, one folder per question. An attack shares no code with the defences."""
