"""Private training, and reading of privacy accounts, where people work already: adapters to other libraries.

    hf          a Hugging Face `Trainer`, with or without PEFT adapters
    lightning   a Lightning `Trainer`
    sklearn     a scikit-learn classifier
    opacus      guarantees from the accountants of Opacus

Each module is imported by its own name, needs its library, and says `MissingExtra` without it.
"""
