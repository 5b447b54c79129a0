// Package adversary plays the attackers of docs/THREATMODEL.md against a real mesh
// under the rules of the public network, and keeps the truth apart to score them. It
// has tests only. An impossible attack is a test that fails once it works. A possible
// one is a test, too, so that nobody believes in more protection than there is.
//
//	attacker                   sees                                  here
//	watches a line             frames of one client                  line_test.go
//	watches two lines          the same of both                      line_test.go
//	relays that work together  guard, mailbox, mixes of a route      capture_test.go
//	a mix on the way           packets before and after it           way_test.go
//
// Lies in single fields are told where the fields are read; docs/LIES.md has the
// table. Attacks on the resources of relays are in cmd/internal/lab.
package adversary
