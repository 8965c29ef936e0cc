package http3

import (
	"sync"
	"time"

	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/quic-go/qlogwriter"

	"linger"
)

// quicSeen is what the events of the QUIC stack say that its interface does not.
type quicSeen struct {
	mu    sync.Mutex
	retry bool
	token bool
	idle  linger.Opt[time.Duration] // max_idle_timeout; zero is none
}

// AddProducer and the rest implement qlogwriter.Trace and Recorder.
func (s *quicSeen) AddProducer() qlogwriter.Recorder { return s }
func (s *quicSeen) SupportsSchemas(string) bool      { return true }
func (s *quicSeen) Close() error                     { return nil }

func (s *quicSeen) RecordEvent(e qlogwriter.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e := e.(type) {
	case qlog.ParametersSet:
		if e.Initiator == qlog.InitiatorRemote {
			s.idle = linger.Known(e.MaxIdleTimeout)
		}
	case qlog.PacketReceived:
		s.retry = s.retry || e.Header.PacketType == qlog.PacketTypeRetry
		for _, f := range e.Frames {
			if _, ok := f.Frame.(*qlog.NewTokenFrame); ok {
				s.token = true
			}
		}
	}
}

func (s *quicSeen) limit() linger.Opt[time.Duration] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.idle
}
