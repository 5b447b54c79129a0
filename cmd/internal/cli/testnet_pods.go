package cli

import (
	"net"
	"os"

	"github.com/spf13/cobra"

	"starling/node/testnet/engine/seats"
	"starling/node/testnet/manifests"
	"starling/node/testnet/scenario"
)

// envToken is the variable with the token that all seats of a mesh share.
const envToken = "STARLING_TESTNET_TOKEN"

func (a meshes) manifests() *cobra.Command {
	var image string
	cmd := &cobra.Command{
		Use:   "manifests SCENARIO.toml --image IMAGE",
		Short: "Print a scenario as Kubernetes manifests",
		Long: `Print a scenario as Kubernetes manifests, for meshes that outgrow one machine:
relays and users as StatefulSets of an image with this program as its entry point, and
the messages and events as a Job that speaks to their control sockets.

  starling testnet manifests FILE --image example.org/starling:1 | kubectl apply -f -
  kubectl logs -f job/NAME-events        the last line is the summary`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if image == "" {
				return usage("for example: --image example.org/starling:1", "--image is missing")
			}
			s, err := parseScenario(cmd.Context(), files[0], "", scenario.Parse)
			if err != nil {
				return err
			}
			if err := planned(s, 1); err != nil {
				return err
			}

			// The file as it is goes into the pods, which read it themselves.
			src, err := readFile(cmd.Context(), files[0], scenario.MaxFile)
			if err != nil {
				return err
			}
			page, err := manifests.Kubernetes(s, manifests.Options{Image: image, File: src})
			if err != nil {
				return usage("Kubernetes can do stop, restart, kill, offline, online, reopen, crash, churn and shifts", "%s", own(err.Error()))
			}
			_, err = a.out.Write(page)
			return err
		},
	}
	cmd.Flags().StringVar(&image, "image", "", "the container `IMAGE` of all pods, whose entry point is starling")
	cmd.Flags().BoolVar(&a.json, "json", false, "errors as JSON")
	return cmd
}

func (a meshes) seat() *cobra.Command {
	var seat seats.Seat
	var listen string
	cmd := &cobra.Command{
		Use:    "seat NODE",
		Short:  "Run one node of a mesh on several machines, as testnet manifests asks",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			seat.Name, seat.Token = seats.NodeOf(args[0]), a.getenv(envToken)
			if seat.Program, err = os.Executable(); err != nil {
				return err
			}
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return usage("choose another address with --listen", "%v", err)
			}
			defer l.Close()
			return seat.Run(cmd.Context(), l)
		},
	}

	cmd.Flags().StringVar(&seat.Dir, "dir", "/data", "the `DIR` of the node's profile")
	cmd.Flags().StringVar(&seat.Address, "address", "", "the IP `ADDRESS` at which others reach this machine")
	cmd.Flags().StringVar(&seat.First, "first", "", "`HOST:PORT` of the first relay's seat")
	cmd.Flags().StringVar(&listen, "listen", "0.0.0.0:7001", "`HOST:PORT` of this seat")
	return cmd
}
