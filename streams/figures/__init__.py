"""What campaigns brought, kept as sums: each fact's part of each cell, and the cells as `kpi.campaigns` tells them.

`docs/kpis.md` has the definitions. A cell is the sum of the parts of all facts. A fact is kept as it was counted last;
when it changes, its old part is subtracted and its new one added, so that the order of arrival leaves no trace.
"""
