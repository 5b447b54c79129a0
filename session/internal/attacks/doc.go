// Package attacks has no code: its tests hold that every attack listed in
// docs/ATTACKS.md has the tests named there, and what is to be said of the
// source of package session as a whole.
package attacks
