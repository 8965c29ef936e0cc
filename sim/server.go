package sim

import (
	"linger"
	"linger/policy"
)

// delays are answers that are not due yet.
type delays[T any] []delayed[T]

type delayed[T any] struct {
	what T
	due  linger.Instant
}

func (d *delays[T]) add(what T, due linger.Instant) { *d = append(*d, delayed[T]{what, due}) }

// take returns those that are due, in the order in which they came.
func (d *delays[T]) take(now linger.Instant) (due []T) {
	kept := (*d)[:0]
	for _, x := range *d {
		if x.due <= now {
			due = append(due, x.what)
		} else {
			kept = append(kept, x)
		}
	}
	*d = kept
	return due
}

// next is when the first of them is due.
func (d delays[T]) next() linger.Instant {
	t := linger.Never
	for _, x := range d {
		t = min(t, x.due)
	}
	return t
}

// A streamServer is the origin's side of a connection of TCP, as far as HTTP and DNS are
// alike.
type streamServer struct {
	end     *end
	policy  *policy.Server
	written int // answers in what the kernel has not taken
	closed  bool
	ended   bool // the client has closed
}

func (s *streamServer) begin() {
	w := s.end.party
	s.policy = policy.NewServer(w.config.Policy, w.now)
}

// waited has the policy do what is due.
func (s *streamServer) waited() {
	s.policy.HandleTimeout(s.end.party.now)
	s.end.conn.tell(s.policy)
}

// A server1 is the server's program above a connection of TCP.
type server1 interface{ giveWay() }

// dismiss has the policy know that the connection is to give way.
func (s *streamServer) dismiss() {
	s.policy.HandleDismissal(policy.ReasonGaveWay)
	s.end.conn.tell(s.policy)
}

// deadline is when the policy wants to be asked again.
func (s *streamServer) deadline() linger.Instant {
	if s.closed {
		return linger.Never
	}
	return s.policy.NextTimeout()
}

// settle tells the policy of the answers that the kernel has taken.
func (s *streamServer) settle() {
	for range s.written {
		s.policy.HandleResponse(s.end.party.now)
		s.end.conn.tell(s.policy)
	}
	s.written = 0
}

// closeIfDue closes in the policy's style, where the policy wants it.
func (s *streamServer) closeIfDue() {
	if _, due := s.policy.Closing(); !due || s.closed {
		return
	}
	s.closed = true
	if s.end.party.config.Policy.Style == policy.CloseRST {
		s.end.tcp.Abort(s.end.party.now)
		s.end.shut = true
		return
	}
	s.end.shutdown()
}

// A streamClient is the client's side of a connection of TCP, as far as HTTP and DNS are
// alike: it waits for nothing but bytes.
type streamClient struct{ conn *conn }

func (h *streamClient) begin() {
	w := h.conn.party
	w.policy.HandleConnected(w.now, h.conn.id)
}

func (h *streamClient) writable()                {}
func (h *streamClient) timeout()                 {}
func (h *streamClient) deadline() linger.Instant { return linger.Never }
