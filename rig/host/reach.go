package host

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"linger/ask"
	"linger/dial"
	"linger/live"
)

// A Reach is how a server is reached that is not ours, and what requests to it say: the part of
// a live.Config that a user chooses, in a form that can be handed to another process.
type Reach struct {
	// Insecure takes any certificate of the server.
	Insecure bool `json:"insecure,omitempty"`
	// Authorities are certificates, in PEM, of who may vouch for it; nil are the system's.
	Authorities []byte `json:"authorities,omitempty"`
	// Certificate and Key are the client's own, in PEM; nil is none.
	Certificate []byte      `json:"certificate,omitempty"`
	Key         []byte      `json:"key,omitempty"`
	Message     ask.Message `json:"message"`
	Route       dial.Route  `json:"route"`
}

// Config is the same as engines have it.
func (r Reach) Config() (live.Config, error) {
	config := live.Config{Insecure: r.Insecure, Message: r.Message, Route: r.Route}
	if r.Authorities != nil {
		config.Roots = x509.NewCertPool()
		if !config.Roots.AppendCertsFromPEM(r.Authorities) {
			return config, errors.New("the authorities have no certificate in PEM")
		}
	}
	if r.Certificate != nil {
		certificate, err := tls.X509KeyPair(r.Certificate, r.Key)
		if err != nil {
			return config, err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}
