"""The demo: two weeks of an airline's support agent, told in traces."""
