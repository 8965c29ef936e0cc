package flags

import (
	"fmt"
	"time"

	"linger/fault"
	"linger/policy"
)

// PolicyFlags are the origin's connection policy; the same in every verb.
type PolicyFlags struct {
	IdleTimeout string `placeholder:"D" help:"The origin closes a connection after so long without a request."`
	MaxRequests int    `placeholder:"N" help:"The origin closes a connection after N requests."`
	MaxAge      string `placeholder:"D" help:"The origin closes a connection that is so old."`
	Close       bool   `help:"The origin closes every connection after one response."`
	CloseStyle  string `enum:"fin,rst" default:"fin" placeholder:"fin|rst" help:"How the origin closes: fin, or rst, which may destroy what is under way."`
	Announce    bool   `help:"The origin announces its limits: Keep-Alive: timeout=, max=; in DNS, edns-tcp-keepalive."`
}

// requestTimeout is how long the origin waits for the rest of a request's head:
// as nginx and Apache do by default, 60 s.
const requestTimeout = time.Minute

func (f PolicyFlags) Parse() (policy.ServerPolicy, error) {
	p := policy.ServerPolicy{
		MaxRequests: f.MaxRequests, RequestTimeout: requestTimeout,
		Style: policy.CloseStyle(f.CloseStyle), Announce: f.Announce,
	}
	if f.MaxRequests < 0 {
		return p, fault.Usage("--max-requests: %d; give 1 or more, or 0 for no limit", f.MaxRequests)
	}
	if f.Close {
		p.MaxRequests = 1
	}
	for _, limit := range []struct {
		flag, value string
		to          *time.Duration
	}{{"--idle-timeout", f.IdleTimeout, &p.IdleTimeout}, {"--max-age", f.MaxAge, &p.MaxAge}} {
		if limit.value == "" {
			continue
		}
		d, err := Duration(limit.value)
		if err != nil || d < 0 {
			return p, fault.Usage("%s: %q is not a time to wait; write 5s, or 0s for no limit", limit.flag, limit.value)
		}
		*limit.to = d
	}
	return p, nil
}

// Words are the flags that differ from the defaults.
func (f PolicyFlags) Words() []string {
	var words []string
	if f.IdleTimeout != "" {
		words = append(words, "--idle-timeout", f.IdleTimeout)
	}
	if f.MaxRequests != 0 {
		words = append(words, "--max-requests", fmt.Sprint(f.MaxRequests))
	}
	if f.MaxAge != "" {
		words = append(words, "--max-age", f.MaxAge)
	}
	if f.Close {
		words = append(words, "--close")
	}
	if f.CloseStyle == "rst" {
		words = append(words, "--close-style", "rst")
	}
	if f.Announce {
		words = append(words, "--announce")
	}
	return words
}
