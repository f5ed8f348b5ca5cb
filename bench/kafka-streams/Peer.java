import java.nio.file.Files;
import java.util.Arrays;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** Kafka Streams, exactly_once_v2 on one thread: the same two jobs. */
public class Peer {
    static final AtomicLong seen = new AtomicLong();

    static void tell() {
        if (seen.getAndIncrement() == 0) {
            System.out.println("START " + System.currentTimeMillis() / 1000.0);
        }
    }

    /** Forwards each id once. */
    static class Deduplicate implements Processor<byte[], byte[], byte[], byte[]> {
        private ProcessorContext<byte[], byte[]> context;
        private KeyValueStore<String, byte[]> ids;

        @Override
        public void init(ProcessorContext<byte[], byte[]> given) {
            context = given;
            ids = given.getStateStore("seen");
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            tell();
            String id = new String(record.value(), 0, 12);
            if (ids.get(id) == null) {
                ids.put(id, new byte[] {'1'});
                context.forward(record);
            }
        }
    }

    public static void main(String[] args) throws Exception {
        String bootstrap = args[0], prefix = args[1], job = args[2];
        long expected = Long.parseLong(args[3]);
        Properties given = new Properties();
        given.put(StreamsConfig.APPLICATION_ID_CONFIG, prefix + "kstreams");
        given.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        given.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        given.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        given.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        given.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("kstreams").toString());
        given.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        given.put(StreamsConfig.consumerPrefix("max.poll.records"), 10000);
        StreamsBuilder builder = new StreamsBuilder();
        var raw = Consumed.with(Serdes.ByteArray(), Serdes.ByteArray());
        if (job.equals("a")) {
            builder.stream(prefix + "pixel.events", Consumed.with(Serdes.String(), Serdes.ByteArray()))
                .peek((key, value) -> tell())
                .groupByKey(Grouped.with(Serdes.String(), Serdes.ByteArray()))
                .count(Materialized.as(Stores.inMemoryKeyValueStore("counts")));
        } else {
            builder.addStateStore(Stores.keyValueStoreBuilder(
                Stores.inMemoryKeyValueStore("seen"), Serdes.String(), Serdes.ByteArray()).withCachingEnabled());
            builder.stream(prefix + "pixel.events", raw)
                .process(Deduplicate::new, "seen")
                .to(prefix + "kstreams-output", Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
        }
        KafkaStreams streams = new KafkaStreams(builder.build(), given);
        streams.start();
        try (Admin admin = Admin.create(given)) {
            long committed = 0;
            while (committed < expected) {
                Thread.sleep(5);
                if (seen.get() >= expected) {
                    committed = admin.listConsumerGroupOffsets(prefix + "kstreams").partitionsToOffsetAndMetadata()
                        .get().values().stream().filter(each -> each != null).mapToLong(each -> each.offset()).sum();
                }
            }
        }
        System.out.println("END " + System.currentTimeMillis() / 1000.0);
        Runtime.getRuntime().halt(0);
    }
}
