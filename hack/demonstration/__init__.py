"""The guided tour: a cluster, the operator, a Council, one question, and the answer told to a person."""
