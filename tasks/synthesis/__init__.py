"""Pictures that are drawn: digits of many hands, what is no digit, scenes and damage."""
