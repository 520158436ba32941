"""Rows of comma-separated text, letter by letter: slow, and plainly what the grammar says."""

from __future__ import annotations


def letter_by_letter(text: str, at: int = 0) -> tuple[list[str], int] | None:
    """The cells of the row that begins here, and where it ends; None if a quote is not closed."""
    cells = []
    while True:
        cell = ""
        if text[at : at + 1] == '"':
            at += 1
            while text[at : at + 2] == '""' or text[at : at + 1] != '"':
                if at >= len(text):
                    return None
                step = 2 if text[at] == '"' else 1
                cell += text[at]
                at += step
            at += 1
        while at < len(text) and text[at] not in ",\r\n":
            cell += text[at]
            at += 1
        cells.append(cell)
        if text[at : at + 1] != ",":
            return cells, at + (2 if text[at : at + 2] == "\r\n" else 1)
        at += 1


def all_rows(text: str) -> list[list[str]]:
    rows, at = [], 0
    while at < len(text):
        found = letter_by_letter(text, at)
        if text[at] in "\r\n":  # a blank line
            at += 2 if text[at : at + 2] == "\r\n" else 1
        elif found is None:  # a quote is a letter
            line = text[at:].replace("\r\n", "\n").replace("\r", "\n").split("\n")[0]
            rows.append(line.split(","))
            at += len(line) + (2 if text[at + len(line) :].startswith("\r\n") else 1)
        else:
            rows.append(found[0])
            at = found[1]
    return rows
