//go:build !linux

package wake

import "context"

// changes calls f after each change of this computer's addresses.
func changes(ctx context.Context, f func()) error { return polled(ctx, poll, addresses, f) }
