"""What sessions, customers, messages and orders tell of each other: the facts behind attributions and KPIs.

`docs/kpis.md` has the definitions. Facts only ever join (sets grow, the earliest time stays, the highest version
wins), so that any order of arrival and any repetition ends in the same facts; what follows from them is computed anew.
"""
