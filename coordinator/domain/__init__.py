"""Rules as functions and tables. No I/O, no clock, no randomness, no framework.

The protocol itself (terms, policy, messages) is `otc_sdk`'s: traders' clients and the coordinator
must not each have their own.
"""
