package service

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"linger/lab"
)

// roles are what the test's own program can play besides.
var roles = map[string]func() int{}

// TestMain makes the test's own program the first process of a lab, or a server on one of its
// hosts, which listens on the addresses that it is given.
func TestMain(m *testing.M) {
	if status, inside := lab.Inside(os.Args); inside {
		os.Exit(status)
	}
	if len(os.Args) > 1 && os.Args[1] == "listen" {
		os.Exit(listen(os.Args[2:]))
	}
	if len(os.Args) > 1 && roles[os.Args[1]] != nil {
		os.Exit(roles[os.Args[1]]())
	}
	if len(os.Args) > 1 && os.Args[1] == "ask" {
		c, err := net.Dial("tcp", os.Args[2])
		if err == nil {
			_, err = io.Copy(io.Discard, c)
			c.Close()
		}
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv("GORACE") == "" { // as in package lab
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	os.Exit(m.Run())
}

// listen answers each connection with a byte and closes it. "stubborn" in the place of an
// address has it ignore SIGTERM.
func listen(addresses []string) int {
	for _, a := range addresses {
		if a == "stubborn" {
			signal.Ignore(syscall.SIGTERM)
			continue
		}
		l, err := net.Listen("tcp", a)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Write([]byte("x"))
				c.Close()
			}
		}()
	}
	select {}
}
