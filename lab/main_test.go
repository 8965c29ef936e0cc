package lab

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if status, inside := Inside(os.Args); inside {
		os.Exit(status)
	}
	os.Exit(m.Run())
}
