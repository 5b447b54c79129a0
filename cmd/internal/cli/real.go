package cli

import (
	"context"
	"errors"
	"io"

	"starling/node/api"
)

type realEngine struct{}

var errNotYet = errors.New("not built yet")

func (realEngine) DefaultProfile() (string, error)                  { return "", errNotYet }
func (realEngine) Exists(string) (bool, error)                      { return false, nil }
func (realEngine) Create(context.Context, string, newProfile) error { return errNotYet }
func (realEngine) Dial(context.Context, string) (api.Node, io.Closer, error) {
	return nil, nil, errNotYet
}
func (realEngine) Start(context.Context, startConfig) (running, error) { return nil, errNotYet }
func (realEngine) Relay(context.Context, relayConfig, func(string, []string) error) error {
	return errNotYet
}

type realScreens struct{}

func (realScreens) Setup(context.Context, bool, func(string, string) error) error { return errNotYet }
func (realScreens) Run(context.Context, api.Node, bool) error                     { return errNotYet }
