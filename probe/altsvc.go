package probe

import (
	"linger"
	"linger/conduct"
)

// announcedAltSvc notes what Alt-Svc says; the first word stands.
func (p *prober) announcedAltSvc(value string) {
	if value = linger.Brief(value); value == "" {
		return
	}
	p.record(func(policy *conduct.Policy) {
		if policy.AltSvc == nil {
			policy.AltSvc = new(conduct.AltSvc)
		}
		if policy.AltSvc.Value == "" {
			policy.AltSvc.Value = value
		}
	})
}
