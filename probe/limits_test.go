package probe_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"linger/conformance"
	"linger/internal/testall"
	"linger/probe"
	"linger/profile"
)

// within reports whether an interval holds the truth, for a server that may be late.
func within(t profile.Timeout, truth time.Duration) bool {
	low, high, ok := t.Interval()
	near := profile.Slack(profile.Duration(truth))
	return ok && low-near <= profile.Duration(truth) && profile.Duration(truth) <= high+near
}

// TestLimitOfAServerThatIsThroughBeforeItsClient: a program has written its response at
// once, and starts its clock, while the client is sent that in flights, a round trip
// apart.
func TestLimitOfAServerThatIsThroughBeforeItsClient(t *testing.T) {
	t.Parallel()
	const limit, flights, trip = 2 * time.Second, 4, 120 * time.Millisecond
	for _, test := range []struct {
		name  string
		knows string // how a small response can be had
		most  profile.Duration
	}{
		{"the head alone", "HEAD", profile.Duration(50 * time.Millisecond)},
		{"what is known already", "If-None-Match", profile.Duration(50 * time.Millisecond)},
		{"the first byte", "Range", profile.Duration(50 * time.Millisecond)},
		{"nothing small", "", profile.Duration(500 * time.Millisecond)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			address := testall.Accept(t, func(c net.Conn) {
				in := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					c.SetReadDeadline(time.Now().Add(limit))
					head := "HTTP/1.1 %s\r\nContent-Length: %d\r\nKeep-Alive: timeout=2\r\nConnection: keep-alive\r\n"
					switch test.knows {
					case "If-None-Match":
						head += "ETag: \"a\"\r\n"
					case "Range":
						head += "Accept-Ranges: bytes\r\n"
					}
					head += "\r\n"
					switch {
					case test.knows == "HEAD" && r.Method == http.MethodHead:
						fmt.Fprintf(c, head, "200 OK", flights*14000)
					case r.Method == http.MethodHead:
						fmt.Fprintf(c, head, "405 No", 0)
					case test.knows == "If-None-Match" && r.Header.Get(test.knows) == `"a"`:
						fmt.Fprintf(c, "HTTP/1.1 304 Known\r\nConnection: keep-alive\r\n\r\n")
					case test.knows == "Range" && r.Header.Get(test.knows) != "":
						fmt.Fprintf(c, head+"x", "206 Part", 1)
					default:
						fmt.Fprintf(c, head, "200 OK", flights*14000)
						for i := range flights {
							if i > 0 {
								time.Sleep(trip)
							}
							io.WriteString(c, strings.Repeat("x", 14000))
						}
					}
				}
			})
			doc, err := probe.Run(context.Background(), probe.Config{Target: "http://" + address + "/", MaxWait: 5 * time.Second,
				Cases: []profile.Case{conformance.CaseByID("timeout-honoured")}, Experiments: probe.IdleExperiments("http")})
			if err != nil {
				t.Fatal(err)
			}
			idle := doc.ProtocolNamed("http/1.1").AfterResponse
			low, high, _ := idle.Interval()
			if !within(idle, limit) || high-low > 2*test.most && !wasBusy(doc) {
				t.Errorf("the limit is %s, between %s and %s; want %s in it, and no more than %s on each side", idle, low, high, profile.Duration(limit), test.most)
			}
			if r, _ := doc.ResultOf("timeout-honoured"); r.Outcome == profile.Fail || r.Outcome == profile.Warn {
				t.Errorf("timeout-honoured: %s, %s", r.Outcome, r.Text)
			}
		})
	}
}

// TestAgeThatIsLookedAtWhenARequestComes: connections older than an age are ended by the
// next response, as nginx does with keepalive_time.
func TestAgeThatIsLookedAtWhenARequestComes(t *testing.T) {
	t.Parallel()
	const most = 2 * time.Second
	address := testall.Accept(t, func(c net.Conn) {
		born, in := time.Now(), bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			over := time.Since(born) > most || r.Close
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: %s\r\n\r\n", map[bool]string{true: "close", false: "keep-alive"}[over])
			if over {
				return
			}
		}
	})
	doc, err := probe.Run(context.Background(), probe.Config{Target: "http://" + address + "/", MaxWait: 4 * time.Second, Patient: true,
		Experiments: []string{"age of a busy connection", "requests on a connection", "idle after a response"}})
	if err != nil {
		t.Fatal(err)
	}
	h := doc.ProtocolNamed("http/1.1")
	if low, high, _ := h.Age.Interval(); h.Age.State != profile.Measured || !within(h.Age, most) || high > profile.Duration(5*time.Second) {
		t.Errorf("the age is %s, between %s and %s (%s); want %s in it", h.Age, low, high, h.Age.Why, profile.Duration(most))
	}
	if idle := h.AfterResponse; idle.State != profile.AtLeast || idle.Low < profile.Duration(3*time.Second) {
		t.Errorf("the idle limit is %s; want at least 4 s", idle)
	}
	if r, _ := doc.ResultOf("close-kept"); r.Outcome != profile.Pass {
		t.Errorf("close-kept: %s, %s", r.Outcome, r.Text)
	}
}
