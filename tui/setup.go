package tui

import (
	"context"
	"errors"
)

// ErrCancelled is returned when the person leaves the first screens.
var ErrCancelled = errors.New("cancelled")

// SetupResult is what the first screens asked for.
type SetupResult struct {
	Name       string
	Passphrase string
}

// Setup asks for a name and a new passphrase, or, if a profile exists, for
// its passphrase. problem, if given, tells why it asks again.
func Setup(ctx context.Context, existing bool, problem ...string) (SetupResult, error) {
	return SetupResult{}, errors.New("the first screens are not there yet")
}
