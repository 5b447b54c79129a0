//go:build race

package web

// slowness is how many times as long a server takes that the race detector watches.
const slowness = 4
