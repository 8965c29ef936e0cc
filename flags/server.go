package flags

import (
	"linger/fault"
	"linger/rig/far"
)

// OriginCommandFlag names a server of the user's own; the same in every verb.
type OriginCommandFlag struct {
	OriginCommand string `placeholder:"COMMAND" help:"Start this server in the lab by sh -c, and use it in the place of linger's own (docs/origin-command.md)."`
}

// Words are the flag, if it was given.
func (f OriginCommandFlag) Words() []string {
	if f.OriginCommand == "" {
		return nil
	}
	return []string{"--origin-command", Quote(f.OriginCommand)}
}

// Own returns the server, which is started when it is first needed. others are the flags
// given that are about a server of linger's own, or one outside.
func (f OriginCommandFlag) Own(target string, reach ReachFlags, agent string, others []string) (*far.Own, error) {
	if !IsURL(target) {
		return nil, fault.Usage("--origin-command starts a server of your own, and %s is served by linger's; give a URL of yours, as http://origin:8080/", target)
	}
	reach.IPv4 = false // the lab has no other
	route := ReachFlags{Resolve: reach.Resolve, ConnectTo: reach.ConnectTo, UnixSocket: reach.UnixSocket, IPv6: reach.IPv6}
	if len(others) > 0 {
		return nil, fault.Usage("%s is of linger's own origin, which is not there with --origin-command; leave one of them out", others[0])
	}
	if words := route.Words(); len(words) > 0 {
		return nil, fault.Usage("%s does not go with --origin-command: in the lab, by IPv4, whatever the URL names is that server; leave it out", words[0])
	}
	said, err := reach.Reach(agent)
	if err != nil {
		return nil, err
	}
	return far.NewOwn(f.OriginCommand, target, said)
}

// ServerFlags name a server of the world outside; the same in every verb.
type ServerFlags struct {
	Server []string `sep:"none" placeholder:"ADDRESS" help:"Of dns: ask this resolver over the real network: HOST, HOST:PORT, https://HOST/PATH; or for one strategy, as dot=HOST:PORT. May stand several times."`
	ReachFlags
}

// Words are the flags that were given.
func (f ServerFlags) Words() []string {
	var words []string
	for _, s := range f.Server {
		words = append(words, "--server", Quote(s))
	}
	return append(words, f.ReachFlags.Words()...)
}
