package policy

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"linger"
)

// TestServer runs a script against a Server and shows what it says. A step is an
// event at a millisecond: start, request, 1.0, close (requests with those words),
// response, malformed, shutdown, or wake, which only looks at the deadline.
func TestServer(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy ServerPolicy
		steps  string
		// want is, after each step, what may follow: + persists, - does not and will
		// close, ! closes now; then the next deadline in ms, if there is one.
		want string
		// reason is why, at the end.
		reason   string
		requests int
	}{
		{"no limits", ServerPolicy{}, "0start 1request 2response 500wake", "+ + + +", "", 1},
		{"idle from the accept", ServerPolicy{IdleTimeout: 100 * ms}, "50wake 100wake", "+100 !", "idle timeout", 0},
		{"idle from the last response", ServerPolicy{IdleTimeout: 100 * ms},
			"90start 95request 300wake 310response 400wake 410wake", "+ + + +410 +410 !", "idle timeout", 1},
		{"a request in time", ServerPolicy{RequestTimeout: 50 * ms}, "10start 59wake 59request", "+60 +60 +", "", 1},
		{"a request that stalls", ServerPolicy{RequestTimeout: 50 * ms, IdleTimeout: time.Second}, "10start 60wake", "+60 !", "request timeout", 0},
		{"the first byte counts once", ServerPolicy{RequestTimeout: 50 * ms}, "10start 40start 60wake", "+60 +60 !", "request timeout", 0},
		{"one request each", ServerPolicy{MaxRequests: 1}, "0start 1request 2response", "+ - !", "requests per connection used up", 1},
		{"two requests each", ServerPolicy{MaxRequests: 2}, "1request 2response 3request 4response", "+ + - !", "requests per connection used up", 2},
		{"client says close", ServerPolicy{}, "1close 2response", "- !", "client asked to close", 1},
		{"HTTP/1.0", ServerPolicy{}, "1old 2response", "- !", "client did not ask to keep it (HTTP/1.0)", 1},
		{"old when idle", ServerPolicy{MaxAge: 100 * ms, IdleTimeout: 70 * ms}, "40request 50response 100wake", "+ +100 !", "maximum age reached", 1},
		{"old when busy", ServerPolicy{MaxAge: 100 * ms}, "90request 150wake 160response 160wake", "+ + +100 !", "maximum age reached", 1},
		{"old at the next request", ServerPolicy{MaxAge: 100 * ms}, "90request 150response 150request 151response", "+ +100 - !", "maximum age reached", 2},
		{"shutdown when idle", ServerPolicy{IdleTimeout: 100 * ms}, "5shutdown", "!", "server shuts down", 0},
		{"shutdown when busy", ServerPolicy{}, "1request 2shutdown 3response", "+ - !", "server shuts down", 1},
		{"shutdown in mid-request", ServerPolicy{}, "1start 2shutdown 3request 4response", "+ - - !", "server shuts down", 1},
		{"what is no request", ServerPolicy{}, "1start 2malformed 3response", "+ - !", "bad", 1},
		{"what is no content", ServerPolicy{}, "1request 2malformed 3response", "+ - !", "bad", 1},

		// Several requests at once.
		{"idle once all are answered", ServerPolicy{IdleTimeout: 100 * ms},
			"1request 2request 3request 10response 20response 500wake 510response 610wake", "+ + + + + + +610 !", "idle timeout", 3},
		{"the last one closes", ServerPolicy{MaxRequests: 3},
			"1request 1request 1request 2response 3response 4response", "+ + - - - !", "requests per connection used up", 3},
		{"answered before the last comes", ServerPolicy{MaxRequests: 2},
			"1request 2request 3response 4response", "+ - - !", "requests per connection used up", 2},
		{"shutdown under way", ServerPolicy{}, "1request 1request 2shutdown 3response 4response", "+ + - - !", "server shuts down", 2},
		{"the first reason stays", ServerPolicy{MaxRequests: 2}, "1request 1shutdown 1request 2response 3response", "+ - - - !", "server shuts down", 2},
		{"more answers than requests", ServerPolicy{IdleTimeout: 100 * ms}, "1response 2response 3request 4response", "+101 +102 + +104", "", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := NewServer(test.policy, 0)
			var got []string
			for step := range strings.FieldsSeq(test.steps) {
				at, event := instant(step)
				if at >= s.NextTimeout() {
					s.HandleTimeout(at)
				}
				switch event {
				case "start":
					s.HandleRequestStart(at)
				case "request":
					s.HandleRequest(at, "1.1", nil)
				case "old":
					s.HandleRequest(at, "1.0", nil)
				case "close":
					s.HandleRequest(at, "1.1", []string{"close"})
				case "response":
					s.HandleResponse(at)
				case "malformed":
					s.HandleMalformed("bad")
				case "shutdown":
					s.HandleShutdown()
				}
				got = append(got, outlook(s))
			}
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("%s\n got %s\nwant %s", test.steps, got, test.want)
			}
			if reason, _ := s.Closing(); reason != test.reason || s.Requests() != test.requests {
				t.Errorf("%d requests, reason %q; want %d, %q", s.Requests(), reason, test.requests, test.reason)
			}
		})
	}
}

const ms = time.Millisecond

// instant splits "10start".
func instant(step string) (linger.Instant, string) {
	digits := strings.TrimRight(step, "abcdefghijklmnopqrstuvwxyz")
	n, err := strconv.Atoi(digits)
	if err != nil {
		panic(err)
	}
	return linger.Instant(0).Add(time.Duration(n) * ms), step[len(digits):]
}

func outlook(s *Server) string {
	reason, due := s.Closing()
	mark := "+"
	if due {
		mark = "!"
	} else if reason != "" {
		mark = "-"
	}
	if t := s.NextTimeout(); t != linger.Never {
		mark += fmt.Sprint(t.Milliseconds())
	}
	return mark
}

func TestServerSaysWhatIsLeft(t *testing.T) {
	s := NewServer(ServerPolicy{MaxRequests: 3}, 0)
	if n, limited := s.Remaining(); n != 3 || !limited {
		t.Errorf("%d, %v", n, limited)
	}
	s.HandleRequest(0, "2", nil)
	s.HandleRequest(0, "2", nil)
	if n, _ := s.Remaining(); n != 1 {
		t.Errorf("%d remain of 3 after 2", n)
	}
	if _, limited := NewServer(ServerPolicy{}, 0).Remaining(); limited {
		t.Error("no limit is a limit")
	}
}

// FuzzServer has anything happen in any order: a connection that is due to close
// stays so and has a reason, and one that waits for a time waits for one to come.
func FuzzServer(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09"), uint8(3))
	f.Add([]byte("\x01\x01\x11\x12\x42\x23\x06\x31"), uint8(0))
	f.Fuzz(func(t *testing.T, events []byte, limits uint8) {
		s := NewServer(ServerPolicy{
			IdleTimeout: time.Duration(limits%4) * 10 * ms, RequestTimeout: time.Duration(limits/4%4) * 10 * ms,
			MaxRequests: int(limits / 16 % 4), MaxAge: time.Duration(limits/64) * 50 * ms,
		}, 0)
		now, was := linger.Instant(0), false
		for _, e := range events {
			now = now.Add(time.Duration(e>>3) * ms)
			switch e % 8 {
			case 0:
				s.HandleRequestStart(now)
			case 1, 2:
				s.HandleRequest(now, "2", nil)
			case 3, 4:
				s.HandleResponse(now)
			case 5:
				s.HandleMalformed("bad")
			case 6:
				s.HandleShutdown()
			}
			s.HandleTimeout(now)
			reason, due := s.Closing()
			if due && reason == "" {
				t.Fatal("closes for no reason")
			}
			if s.NextTimeout() <= now {
				t.Fatalf("at %v it waits for %v", now, s.NextTimeout())
			}
			if was && !due && e%8 != 1 && e%8 != 2 && e%8 != 5 {
				t.Fatalf("event %d opens what was closing", e%8)
			}
			was = due
		}
	})
}
