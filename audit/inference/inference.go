// Package inference holds what was inferred from sizes and times of encrypted connections against
// what their keys showed.
package inference

// A Sum is of connections that were decrypted whole.
type Sum struct {
	Connections int `json:"connections"`
	Exact       int `json:"exact"` // of them, those of which as many requests were inferred as there were
	Requests    int `json:"requests"`
	Inferred    int `json:"inferred"`
	Worst       int `json:"worst"` // how far a connection is off; negative is too few
}

// Add takes a connection in, with its requests and how many were inferred.
func (s *Sum) Add(requests, inferred int) {
	off := inferred - requests
	s.Connections++
	s.Requests += requests
	s.Inferred += inferred
	if off == 0 {
		s.Exact++
	}
	if max(off, -off) > max(s.Worst, -s.Worst) {
		s.Worst = off
	}
}

// Off is the share by which more requests were inferred than there were; negative is fewer. It is
// 0 where there were none.
func (s Sum) Off() float64 {
	if s.Requests == 0 {
		return 0
	}
	return float64(s.Inferred-s.Requests) / float64(s.Requests)
}

// Sums are of connections with one request at a time, as of HTTP/1, and of those that carry
// several together, of which at least so many are inferred.
type Sums struct {
	Alone    Sum `json:"one_at_a_time"`
	Together Sum `json:"multiplexed"`
}

// Add takes a connection in.
func (s *Sums) Add(multiplexed bool, requests, inferred int) {
	if multiplexed {
		s.Together.Add(requests, inferred)
	} else {
		s.Alone.Add(requests, inferred)
	}
}

// IsZero reports whether there is nothing to hold against each other.
func (s Sums) IsZero() bool { return s.Alone.Connections+s.Together.Connections == 0 }
