package complete

import (
	"fmt"
	"slices"
	"strings"

	"linger"
)

// habits are flags of programs that people come from (curl, ab, wrk, hey, hyperfine), with
// what does the same here.
var habits = map[string]string{
	"-L": "redirects within the origin are followed without it", "--location": "redirects within the origin are followed without it",
	"-I": "write -X HEAD", "--head": "write -X HEAD",
	"-0": "write -s close+1.0 or -s keep+1.0", "--http1.0": "write -s close+1.0 or -s keep+1.0",
	"--http2-prior-knowledge": "write --http2 with an http URL", "--http3-only": "write --http3",
	"--compressed": "contents are asked for compressed without it",
	"--silent":     "write -q", "-V": "write linger version",
	"-w": "figures go to a file by -o FILE.json or -o FILE.csv", "--write-out": "figures go to a file by -o FILE.json or -o FILE.csv",
	"-x": "no proxy is spoken to; --connect-to leads elsewhere", "--proxy": "no proxy is spoken to; --connect-to leads elsewhere",
	"-n": manyRequests, "-c": manyRequests, "-t": manyRequests, "--concurrency": manyRequests, "--threads": manyRequests,
	"-r": "write --trials N", "--runs": "write --trials N",
	"--no-keepalive": "write -s close", "--keepalive": "write -s keep",
}

// loadHabits are those of linger bench, of whoever comes from hey, wrk, ab, vegeta, h2load or k6.
var loadHabits = map[string]string{
	"-t": "there is an event loop for each core without it; taskset has fewer", "--threads": "there is an event loop for each core without it; taskset has fewer",
	"-R": "write --rate 500/s", "-r": "write --rate 500/s", "--qps": "write --rate 500/s", "--rps": "write --rate 500/s",
	"--latency": "latencies are always shown", "--duration": "write -z 30s", "-D": "write -z 30s, and -d @FILE for a file's content", "--vus": "write -c N", "--concurrency": "write -c N", "--clients": "write -c N",
	"-p": "write -d @FILE", "--body": "write -d @FILE", "--method": "write -X METHOD", "--streams": "write --in-flight N", "--max-concurrent-streams": "write --in-flight N",
	"--disable-keepalive": "write -s close", "--no-keepalive": "write -s close", "--keepalive": "write -s keep, which is the default", "--h2": "write -s h2", "--script": "there are no scripts; several URLs take turns by --weights",
	"-I": "write -X HEAD", "-i": "write -X HEAD", "-a": "write -u USER:PASSWORD", "-x": "no proxy is spoken to; --connect-to leads elsewhere", "-L": "redirects are not followed",
	"--connections-per-host": "write -c N",
}

const manyRequests = "write linger compare objects:100x1000 -s close:10,keep:10 for 100 requests of 1000 bytes, 10 at once"

// MeantFlag says what to write instead of a flag that a verb does not have ("" is no verb):
// what a habit from another program is here, a flag with a name like it, or the verb that has
// it; otherwise that help lists what there is.
func (l Line) MeantFlag(flag, verb string) string {
	name, help := strings.TrimLeft(flag, "-"), Help(verb)
	var known, elsewhere []string
	for _, v := range l.Verbs {
		for _, f := range v.Flags {
			if v.Name == verb && !f.Hidden {
				known = append(known, f.Name)
			}
		}
		if !v.Hidden && slices.ContainsFunc(v.Flags, func(f Flag) bool { return f.Name == name || flag == "-"+string(f.Short) }) {
			elsewhere = append(elsewhere, v.Name)
		}
	}
	near := linger.Nearest(name, known)
	if len(name) < 3 { // anything is near to it
		near = nil
	}
	habit := habits[flag]
	if verb == "bench" {
		habit = loadHabits[flag]
	}
	switch {
	case habit != "":
		return habit
	case len(near) > 0:
		return fmt.Sprintf("did you mean --%s? %s", strings.Join(near, " or --"), help)
	case len(elsewhere) > 0:
		return fmt.Sprintf("it is a flag of linger %s; %s", strings.Join(elsewhere, ", "), help)
	}
	return help
}

// MeantVerb returns the verbs with a name like word, none if there is none, and all verbs.
func (l Line) MeantVerb(word string) (near, all []string) {
	for _, v := range l.Verbs {
		if !v.Hidden {
			all = append(all, v.Name)
		}
	}
	return linger.Nearest(word, all), all
}

// Help says how to see what a verb has, or the program if verb is "".
func Help(verb string) string {
	if verb == "" {
		return "linger --help lists what there is"
	}
	return "linger " + verb + " --help lists what there is"
}
