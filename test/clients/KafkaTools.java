/*
 * KafkaTools.java - runs many of Kafka's command-line tools in one virtual machine, one after the other
 *
 * A machine for each would take seconds on a busy computer. Standard input: a command a line, fields
 * separated by tabs: name, class, input of the tool (\n for line feeds), arguments. Standard output: for each
 * "=== NAME EXIT", then what the tool printed. Run by test/t/882_kafka_tools.t, from its source.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.kafka.common.utils.Exit;

public class KafkaTools {
    static final class Ended extends RuntimeException {
        Ended(int code) {
            super("exit " + code, null, false, false);
        }
    }

    /** The code that the tool asked to end with first: some catch what is thrown then, and ask again. -1: none. */
    static int asked;

    /** What a tool gets when it asks for the end: it ends alone. */
    static void end(int code, String message) {
        asked = asked < 0 ? code : asked;
        throw new Ended(code);
    }

    static int run(String type, String[] args) {
        asked = -1;
        try {
            Class.forName(type).getMethod("main", String[].class).invoke(null, (Object) args);
            return Math.max(asked, 0);
        } catch (java.lang.reflect.InvocationTargetException e) {
            if (asked >= 0)
                return asked;
            e.getCause().printStackTrace(System.out);
            return 1;
        } catch (ReflectiveOperationException e) {
            System.out.println(e);
            return 127;
        }
    }

    public static void main(String[] unused) throws Exception {
        PrintStream out = System.out;
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));

        Exit.setExitProcedure(KafkaTools::end);
        Exit.setHaltProcedure(KafkaTools::end);
        Exit.setShutdownHookAdder((name, runnable) -> { });
        for (String line; (line = commands.readLine()) != null;) {
            String[] f = line.split("\t", -1);
            ByteArrayOutputStream said = new ByteArrayOutputStream();
            PrintStream to = new PrintStream(said, true);

            System.setIn(new ByteArrayInputStream(f[2].replace("\\n", "\n").getBytes(StandardCharsets.UTF_8)));
            System.setOut(to);
            System.setErr(to);
            int code = run(f[1], Arrays.copyOfRange(f, 3, f.length));
            to.flush();
            out.println("=== " + f[0] + " " + code);
            out.write(said.toByteArray());
            out.println();
            out.flush();
        }
        Runtime.getRuntime().halt(0); // threads that a tool left behind
    }
}
