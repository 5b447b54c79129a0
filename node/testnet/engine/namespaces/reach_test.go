package namespaces

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// reachWhom, in the environment, makes the test below try an address: the test then
// runs in a namespace.
const reachWhom = "STARLING_TEST_REACH"

func TestReach(t *testing.T) {
	address := os.Getenv(reachWhom)
	if address == "" {
		t.Skip("only inside of a namespace")
	}
	c, err := net.DialTimeout("tcp", address+":4001", 700*time.Millisecond)
	if err == nil {
		c.Close()
	}
	if err == nil || errors.Is(err, syscall.ECONNREFUSED) {
		t.Log("reached")
	}
}
