"""Reports: records to pages and files. Pure functions of plain values; no network, no laboratory."""

from reticent.reports.pages import render, save, sentences_of, written_for

__all__ = ["render", "save", "sentences_of", "written_for"]
