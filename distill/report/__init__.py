"""`distill report`: runs that were evaluated on the same cases, as one page for whoever decides.

collect (read and check) → rows (which run is what) → measure (means over seeds, paired differences)
→ verdict (what may be said) → tables, figures → page, documents → folder (written whole).
"""
