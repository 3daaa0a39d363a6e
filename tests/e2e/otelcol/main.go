// A real OpenTelemetry Collector for the tests, reduced to what they need: the OTLP receiver as it
// is shipped, and an exporter that writes every request as one line of OTLP JSON. The receiver is
// the judge: it refuses (400) what is not OTLP, and the JSON is its own reading of our bytes.
package main

import (
	"context"
	"log"
	"os"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

const version = "0.140.0"

type lineConfig struct {
	Path string `mapstructure:"path"`
}

// lineWriter appends whole lines, so that a reader may follow the file while it grows.
type lineWriter struct {
	mu   sync.Mutex
	path string
	file *os.File
	json ptrace.JSONMarshaler
}

func (w *lineWriter) start(context.Context, component.Host) (err error) {
	w.file, err = os.OpenFile(w.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	return err
}

func (w *lineWriter) stop(context.Context) error {
	return w.file.Close()
}

func (w *lineWriter) traces(_ context.Context, data ptrace.Traces) error {
	line, err := w.json.MarshalTraces(data)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err = w.file.Write(append(line, '\n'))
	return err
}

func newTraces(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
	w := &lineWriter{path: cfg.(*lineConfig).Path}
	return exporterhelper.NewTraces(ctx, set, cfg, w.traces,
		exporterhelper.WithStart(w.start), exporterhelper.WithShutdown(w.stop))
}

func factories() (f otelcol.Factories, err error) {
	lines := exporter.NewFactory(component.MustNewType("lines"),
		func() component.Config { return &lineConfig{} },
		exporter.WithTraces(newTraces, component.StabilityLevelAlpha))
	f.Telemetry = otelconftelemetry.NewFactory()
	if f.Receivers, err = otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory()); err != nil {
		return f, err
	}
	f.Exporters, err = otelcol.MakeFactoryMap[exporter.Factory](lines)
	return f, err
}

func main() {
	settings := otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "otelcol-test", Version: version},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{
			ResolverSettings: confmap.ResolverSettings{
				ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory()},
				DefaultScheme:     "file",
			},
		},
	}
	if err := otelcol.NewCommand(settings).Execute(); err != nil {
		log.Fatal(err)
	}
}
