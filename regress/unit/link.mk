# LINK.NAME = role files that regress/unit/test_NAME.c links besides common
