//go:build !race

package web

// slowness is 1: nothing watches the server.
const slowness = 1
