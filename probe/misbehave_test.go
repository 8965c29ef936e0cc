package probe_test

import (
	"context"
	"crypto/tls"
	"slices"
	"testing"
	"time"

	"linger/conformance"
	"linger/finding"
	"linger/internal/testall"
	"linger/origin"
	certificates "linger/origin/authority"
	"linger/origin/listen"
	"linger/origin/misbehave"
	"linger/policy"
	"linger/probe"
	"linger/profile"
)

// again makes a probe once more, alone, that is not as it should be, and that this machine
// may have spoiled.
func again(p *profile.Profile, err error, config probe.Config, right func(*profile.Profile) bool) (*profile.Profile, error) {
	for range 3 {
		if err != nil || !wasBusy(p) || right(p) {
			break
		}
		p, err = probe.Run(context.Background(), config)
	}
	return p, err
}

// wasBusy reports whether a probe says of itself that this machine has spoiled it.
func wasBusy(p *profile.Profile) bool {
	return slices.ContainsFunc(p.Caveats, func(d finding.Caveat) bool { return d.Code == "busy" })
}

// ownAuthority is an authority of our own, and its certificate for the loopback interface.
func ownAuthority(t *testing.T) (*certificates.Authority, tls.Certificate) {
	t.Helper()
	ca, err := certificates.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := ca.Certificate("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return ca, certificate
}

// TestEachMisbehaviourIsNamed shows that of a server which does one thing wrong exactly
// that is found, and of one which does nothing wrong nothing, in cleartext and over
// TLS.
func TestEachMisbehaviourIsNamed(t *testing.T) {
	t.Parallel()
	ca, certificate := ownAuthority(t)
	type server struct {
		name, wants string // the case that is to be found, "" is none
		config      origin.Config
	}
	ordinary := policy.ServerPolicy{IdleTimeout: 3 * time.Second}
	announcing := policy.ServerPolicy{IdleTimeout: 3 * time.Second, MaxRequests: 20, Announce: true}
	servers := []server{
		{"nothing, no limit", "", origin.Config{}},
		{"nothing", "", origin.Config{Policy: ordinary}},
		{"nothing, announced", "", origin.Config{Policy: announcing}},
	}
	for _, m := range misbehave.Kinds() {
		parsed, err := misbehave.Parse(m.Name)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(conformance.Cases(), func(c profile.Case) bool { return c.Misbehaviour == m.Name })
		if i < 0 {
			t.Errorf("no case is about %s", m.Name)
			continue
		}
		servers = append(servers, server{m.Name, conformance.Cases()[i].ID, origin.Config{Policy: ordinary, Misbehave: parsed}})
	}
	schemes := []string{"http", "https"}
	configs := make([]probe.Config, len(servers)*len(schemes))
	for i := range configs {
		if i%testall.Of(1, 5) > 0 { // some of both schemes
			continue
		}
		s, scheme := servers[i/len(schemes)], schemes[i%len(schemes)]
		s.config.Certificates = []tls.Certificate{certificate}
		o, err := origin.New(s.config)
		if err != nil {
			t.Fatal(err)
		}
		ln, err := listen.TCP(context.Background(), "127.0.0.1:0", listen.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		serve := o.Serve
		if scheme == "https" {
			serve = o.ServeTLS
		}
		served := make(chan error, 1)
		go func() { served <- serve(ctx, ln) }()
		defer func() {
			stop()
			<-served
		}()
		configs[i] = probe.Config{Target: scheme + "://" + ln.Addr().String() + "/", Roots: ca.Pool(), MaxWait: 8 * time.Second}
	}
	policies, errs := probed(16, configs)
	for i, p := range policies {
		if configs[i].Target == "" {
			continue
		}
		s, scheme := servers[i/len(schemes)], schemes[i%len(schemes)]
		want := []string{s.wants}
		if s.wants == "" {
			want = nil
		}
		named := func(p *profile.Profile) bool { return slices.Equal(broken(p), want) }
		p, errs[i] = again(p, errs[i], configs[i], named)
		t.Run(s.name+"/"+scheme, func(t *testing.T) {
			if errs[i] != nil {
				t.Fatal(errs[i])
			}
			if named(p) {
				return
			}
			if wasBusy(p) {
				skip(t, "this machine is too busy to say")
			}
			for _, r := range p.Cases {
				if r.Outcome == profile.Fail || r.Outcome == profile.Warn {
					t.Logf("%s: %s, %s", r.ID, r.Outcome, r.Text)
				}
			}
			t.Errorf("it names %v, want %q", broken(p), s.wants)
		})
	}
}
