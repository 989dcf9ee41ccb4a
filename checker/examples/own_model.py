#!/usr/bin/env python3
"""A model of one's own as a program: a bank account that must not be overdrawn.

bench check --model exec:checker/examples/own_model.py history.edn

The bench asks one question a line; each gets one line as its answer.
"""
import json
import sys


def step(balance, operation):
    """The balances that may follow; none if the operation cannot have had its result."""
    amount, outcome = operation["value"], operation["outcome"]
    if operation["f"] == "read":
        # A read of unknown outcome says nothing and changes nothing.
        return [balance] if outcome != "ok" or operation["result"] == balance else []
    if operation["f"] == "deposit":
        return [balance + amount]
    if operation["f"] == "withdraw":
        # With the error "precondition" it found too little.
        if outcome == "refused":
            return [balance] if balance < amount else []
        return [balance - amount] if balance >= amount else []
    raise ValueError(f"an account does not know {operation['f']}")


for line in sys.stdin:
    question = json.loads(line)
    if question["ask"] == "initial":
        answer = {"state": question.get("initial", 0)}
    else:
        answer = {"states": step(question["state"], question["operation"])}
    print(json.dumps(answer), flush=True)
