"""Delimiters, quotes and headers are found."""

from __future__ import annotations

import pytest

from reticent.data.tables.dialects import dialect, grammar_of
from reticent.data.tables.rows import Grammar
from reticent.errors import UsageError


@pytest.mark.parametrize(
    ("head", "grammar"),
    [
        ("name,age\nAnn,3\nBob,4\n", Grammar(",", '"')),
        ("name;height\nAnn;1,62\nBob;1,80\n", Grammar(";", '"')),
        ("1,5;2,3\n1,7;3,3\n", Grammar(";", '"')),
        ("name;remark\nAnn;likes a, b, and c\nBob;none\n", Grammar(";", '"')),
        ("a\tb\n1,2\t3\n4,5\t6\n", Grammar("\t", '"')),
        ("1|24|M|technician|85711\n2|53|F|other|94043\n", Grammar("|", '"')),
        ('"a";"b"\n"x;y";"1"\n"z";"2"\n', Grammar(";", '"')),
        ("'a','b'\n'x,y','1'\n", Grammar(",", "'")),
        ("text\nhello world\nmore words\n", Grammar(None, '"')),
        ("sep=|\na|b\n", Grammar("|", '"')),
        ('id\tnote\n1\t"open\n2\tx\n3\t"again\n4\ty\n5\tz\n', Grammar("\t", None)),
        ('a,b\n"multi\nline, text",1\n"x",2\n', Grammar(",", '"')),
    ],
)
def test_grammars(head, grammar):
    assert dialect(head.encode()).grammar == grammar


def test_what_is_said_is_held_to():
    found = dialect(b"a;b\n1;2\n", delimiter=",", quote="")
    assert found.grammar == Grammar(",", None)
    assert dialect(b"a;b\n1;2\n", delimiter="").grammar.delimiter is None
    assert dialect(b"a,b\tc\nd,e\tf\n", preferred="\t").grammar.delimiter == "\t"
    assert dialect(b"a,b\tc\nd,e\tf\n").grammar.delimiter == ","


@pytest.mark.parametrize(
    ("head", "header"),
    [
        ("name,age\nAnn,3\n", True),
        ("Ann,3\nBob,4\n", False),
        ("f,x\nm,y\nf,z\n", False),
        ("ann@x.org\nbob@x.org\n", False),
        ("2020-01-02,a\n2020-01-03,b\n", False),
        (",age\n0,3\n1,4\n", True),
        ("2019,2020\nx,y\n", True),
        ("name,city\nAnn,Bonn\nname,city\nBob,Ulm\n", True),
        ("5,6\n", False),
        ("a\n", True),
        ("place,1990,1991,1992\nBonn,1,2,3\n", True),
        ("0,1,2\n5,6,7\n", True),
        ("kind,name\nkind,Ann\nother,Bob\n", False),
        ("kind,name,town\nkind,Ann,Ulm\nother,Bob,Bonn\n", True),
        ("P-0012 x\nP-0013 y\nP-7 z\n", False),
        ("q1,q2\nno,yes\nyes,no\n", True),
        ("Ann,34,1.5\nBob,35,2.5\n", False),
    ],
)
def test_headers(head, header):
    assert dialect(head.encode(), delimiter=",").header is header
    assert dialect(head.encode(), delimiter=",", header=not header).header is not header


def test_delimiters_and_quotes_are_single_letters():
    for delimiter, quote in ((",,", None), ("§", None), (None, "''"), (",", ","), ("\n", None)):
        with pytest.raises(UsageError):
            grammar_of(delimiter, quote)
    grammar_of("", "")
    grammar_of(None, None)


def test_wide_headers_are_whole():
    head = ",".join(f"c{number}" for number in range(5000)) + "\n" + ",".join("1" * 5000) + "\n"
    assert dialect(head.encode()).width == 5000
    assert len(dialect(head.encode()).names) == 5000


@pytest.mark.parametrize(
    ("head", "sure"),
    [
        ("Ann,Boston\nBob,Paris\nCy,Rome\n", False),
        ("Ann,Boston\n", False),
        ("name,town\nAnn,Boston\nBob,Paris\n", False),
        ("name,age\nAnn,3\nBob,4\n", True),
        ("name,sex\na,f\nb,m\nc,f\nd,m\n", True),
        ("note\nDear Ann how are you today?\nSee you on Monday I hope.\n", True),
        ("2019,2020,2021\n1,2,3\n", True),
        ("1,2\n3,4\n", True),  # surely none
    ],
)
def test_whether_a_header_is_more_than_a_guess(head, sure):
    assert dialect(head.encode(), delimiter=",").sure is sure
    assert dialect(head.encode(), delimiter=",", header=True).sure


def test_a_header_with_one_name_less_is_above_all_but_the_first_column_as_r_writes_it():
    assert dialect(b'"age","zip"\n"1",34,"02139"\n"2",51,"10001"\n').names == ("", "age", "zip")
    assert dialect(b"age,zip\n34,02139,\n51,10001,\n").names == ("age", "zip")
