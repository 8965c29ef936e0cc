package probe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
	"linger/lab"
	"linger/probe"
	"linger/profile"
)

// roleVar makes this program probe what its arguments name, and print the profile.
const roleVar = "LINGER_TEST_ROLE"

func TestMain(m *testing.M) {
	// This binary is also the first process of a lab, and its hosts.
	if status, inside := lab.Inside(os.Args); inside {
		os.Exit(status)
	}
	if os.Getenv(roleVar) == "probe" {
		os.Exit(probeRole(os.Args[1]))
	}
	testall.AtOnce(12) // probes wait for most of their time
	os.Exit(m.Run())
}

func probeRole(target string) int {
	if err := listens(strings.TrimSuffix(strings.TrimPrefix(target, "http://"), "/")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	p, err := probe.Run(context.Background(), probe.Config{Target: target, MaxWait: 20 * time.Second})
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(p)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// farServers are those that are probed over a path, with a page of several round trips.
var (
	farServers  = []string{"nginx", "Apache, event", "h2o"}
	farNetworks = []string{"lte", "satellite"}
)

// A far survey is what was found of a server over a path.
type far struct {
	server  realServer
	network linger.Network
	at      place
	policy  *profile.Profile
	err     error
}

// run probes in a lab of its own.
func (v *far) run(ctx context.Context) error {
	l, err := lab.Open(ctx, lab.Config{Network: v.network, Seed: 1, Hosts: []lab.HostConfig{{Name: "client"}, {Name: "origin", Side: lab.Server}}})
	if err != nil {
		return err
	}
	defer l.Close()
	path, args, env := v.server.command(v.at)
	if _, err := l.Start(lab.Command{Host: "origin", Path: path, Args: args, Env: env, Dir: v.at.dir}); err != nil {
		return err
	}
	out, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	p, err := l.Start(lab.Command{
		Host: "client", Path: "/proc/self/exe", Args: []string{"http://origin:" + v.at.port + "/"}, Env: append(os.Environ(), roleVar+"=probe"), Stdout: w, Stderr: w,
	})
	w.Close()
	if err != nil {
		return err
	}
	said, err := io.ReadAll(out)
	if _, ended := p.Wait(); err != nil || ended != nil {
		return errors.Join(err, ended)
	}
	v.policy = &profile.Profile{}
	if err := json.Unmarshal(said, v.policy); err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(said))
	}
	return nil
}

// TestRealServersFarAway holds what is measured over long paths, with a page that takes
// several round trips, against what servers were told.
func TestRealServersFarAway(t *testing.T) {
	testall.Long(t, "a minute of real time")
	t.Parallel()
	for _, f := range lab.Check() {
		if !f.OK && f.Needed {
			skip(t, "no lab can be made here: %s: %s; %s", f.Name, f.Found, f.Fix)
		}
	}
	var surveys []*far
	for _, name := range farNetworks {
		network, err := linger.ParseNetwork(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range realServers {
			if slices.Contains(farServers, s.name) {
				surveys = append(surveys, &far{server: s, network: network})
			}
		}
	}
	var servers []realServer
	for _, v := range surveys {
		servers = append(servers, v.server)
	}
	needServers(t, servers)
	var all sync.WaitGroup
	for _, v := range surveys {
		v.at = v.server.prepare(t, place{address: "0.0.0.0:8080", port: "8080"}, bytes.Repeat([]byte("0123456789abcde\n"), 43*1024/16), nil)
		all.Go(func() { v.err = v.run(t.Context()) })
	}
	all.Wait()
	for _, v := range surveys {
		if v.spoiled() {
			all.Go(func() { v.err = v.run(t.Context()) })
		}
	}
	all.Wait()
	for _, v := range surveys {
		t.Run(v.server.name+" over "+v.network.Name, func(t *testing.T) {
			if v.err != nil {
				t.Fatal(v.err)
			}
			limit := v.policy.ProtocolNamed("http/1.1").AfterResponse
			t.Logf("%d B; idle %s, %v to %v ± %v", v.policy.Baseline.Bytes, limit, time.Duration(limit.Low), time.Duration(limit.High), time.Duration(limit.Uncertainty))
			faults := v.faults()
			if v.spoiled() {
				skip(t, "this machine is too busy to say: %q", faults)
			}
			for _, f := range faults {
				t.Error(f)
			}
		})
	}
	if !t.Failed() {
		checkServersDoc(t, "far", farTable(surveys))
	}
}

// spoiled reports whether something is wrong for which this machine may be the reason.
func (v *far) spoiled() bool { return v.err == nil && wasBusy(v.policy) && v.faults() != nil }

// faults holds the idle limit against what the server was told: it is near, or in the
// interval. Of the cases none is to be broken that is not broken next door.
func (v *far) faults() (faults []string) {
	wrong := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	limit, told := v.policy.ProtocolNamed("http/1.1").AfterResponse, v.server.idle
	median, low, high, doubt := time.Duration(limit.Median), time.Duration(limit.Low), time.Duration(limit.High), time.Duration(limit.Uncertainty)
	switch {
	case limit.State != profile.Measured:
		wrong("the idle limit is %s: %s", limit.State, limit.Why)
	case (median-told).Abs() > near(told) && (told < low-doubt || told > high+doubt):
		wrong("the idle limit is %v, %v to %v ± %v, want %v", median, low, high, doubt, told)
	}
	for _, r := range v.policy.Cases {
		if broken := r.Outcome == profile.Fail || r.Outcome == profile.Warn; broken && !slices.Contains(v.server.breaks, r.ID) {
			wrong("%s: %s (%s)", r.ID, r.Outcome, r.Text)
		}
	}
	return faults
}

func farTable(surveys []*far) [][]string {
	rows := [][]string{{"server", "path", "told", " idle after a response ", " interval "}}
	for _, v := range surveys {
		limit := v.policy.ProtocolNamed("http/1.1").AfterResponse
		rows = append(rows, []string{
			v.server.name, v.network.Name, v.server.set, seconds(time.Duration(limit.Median)), interval(limit),
		})
	}
	return rows
}
