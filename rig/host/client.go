package host

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"

	"linger/ask"
	"linger/live"
	"linger/policy"
)

// beClient runs one scenario.
func beClient(ctx context.Context, std streams) error {
	var order ClientOrder
	if err := take("client", std.in, &order); err != nil {
		return err
	}
	ctx, stop := std.heeding(ctx)
	defer stop()
	config, err := order.config()
	if err != nil {
		return err
	}
	var secrets bytes.Buffer
	if order.Secrets {
		config.KeyLog = &secrets
	}
	logs := NewQlogs()
	if order.Qlog {
		config.Qlog = logs.Open
	}
	var seen ClientSeen
	if order.Visit {
		if seen.Page, err = live.Visit(ctx, order.Own.URL, order.Scenario.Strategy, config); err == nil {
			seen.Trace, seen.Page.Trace = seen.Page.Trace, nil
		}
	} else {
		seen.Trace, err = live.Run(ctx, order.Scenario, config)
	}
	if err != nil {
		return err
	}
	seen.Secrets, seen.Qlog = secrets.Bytes(), logs.Bytes()
	return json.NewEncoder(std.out).Encode(seen)
}

// config is how the servers are reached, and what is expected of them.
func (o ClientOrder) config() (live.Config, error) {
	limits := policy.Limits{Pace: o.Pace}
	if o.Own != nil {
		config, err := o.Own.Config()
		config.Congestion, config.Limits = congestion, limits
		return config, err
	}
	config, err := towardsOrigins("client", o.Authority, o.Agent)
	config.Places, config.Limits = o.Places, limits
	return config, err
}

// towardsOrigins is how a host of that role reaches this program's own origins.
func towardsOrigins(role string, authority []byte, agent string) (live.Config, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return live.Config{}, fmt.Errorf("host %s: the order's authority is no certificate", role)
	}
	return live.Config{Roots: roots, Message: ask.Message{Agent: agent}, Verify: true, Congestion: congestion}, nil
}
