//go:build !linux

package loads

import (
	"errors"
	"net/netip"
)

// A Server is the processes of a server on this machine.
type Server struct{ Name string }

var errNeedsLinux = errors.New("processes are watched on Linux only")

// Process fails.
func Process(int) (*Server, error) { return nil, errNeedsLinux }

// Listening fails.
func Listening(netip.AddrPort) (*Server, error) { return nil, errNeedsLinux }

// Processes is 0.
func (s *Server) Processes() int { return 0 }

func (s *Server) cpu() spent { return spent{} }

func (s *Server) resident() int64 { return 0 }
