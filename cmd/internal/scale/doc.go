// Package scale computes the cost of a network of many relays and a million users for
// each of them, from the constants of the code, and holds docs/SCALE.md to it. It has
// tests only: go test ./cmd/internal/scale -update writes the table anew.
package scale
