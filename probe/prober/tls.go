package prober

import (
	"crypto/tls"
	"sync"

	"linger/profile"
)

// RecordTLS changes what is known of TLS.
func (p *Prober) RecordTLS(change func(*profile.TLS)) {
	p.Record(func(doc *profile.Profile) {
		if doc.TLS == nil {
			doc.TLS = &profile.TLS{}
		}
		change(doc.TLS)
	})
}

// A TicketStore keeps the tickets of one probe.
type TicketStore struct {
	mu    sync.Mutex
	last  *tls.ClientSessionState
	given int
}

func (s *TicketStore) Get(string) (*tls.ClientSessionState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.last != nil
}

func (s *TicketStore) Put(_ string, session *tls.ClientSessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last = session; session != nil {
		s.given++
	}
}

// Early reports whether the last ticket allows early data; over TCP crypto/tls does not
// say.
func (s *TicketStore) Early() bool {
	session, ok := s.Get("")
	if !ok {
		return false
	}
	_, state, err := session.ResumptionState()
	return err == nil && state != nil && state.EarlyData
}

// Given is how many tickets were given so far.
func (s *TicketStore) Given() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given
}
