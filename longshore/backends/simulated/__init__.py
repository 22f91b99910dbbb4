"""A fleet of arithmetic: the shipped fake behind the Backend port."""
