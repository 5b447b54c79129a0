// Package testnet is the way of the layers above to a [mesh.Mesh], the relays of a
// testnet in this process. Its folders hold the rest of `starling testnet`: scenario
// reads a file, runner carries it out on an engine, report tells and plot draws it.
package testnet

import (
	"context"

	"starling/p2p/mesh"
)

// A Mesh is relays that run in this process.
type Mesh = mesh.Mesh

// Options say which mesh to run.
type Options = mesh.Options

// Start starts the relays of a mesh and returns when all of them know each other. ctx
// bounds the start only.
func Start(ctx context.Context, o Options) (*Mesh, error) { return mesh.Start(ctx, o) }
