/* auth_keys: key pairs in PEM for the tests of auth, made for them and used nowhere else. */
#include "auth_keys.h"

const char key_rsa[] = "-----BEGIN PRIVATE KEY-----\n"
                       "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCmr0/D1lYstGDY\n"
                       "IF+BgS414KCt4y9RrXItQ8CJ3+F87tsvKhIL6ysa25v/+QdEclJjK+mRGdp/izfY\n"
                       "UBERFzzki4qn+xEoTQKpcNzg6Yke7jkFwG8M+akMUtXdRUuyrJLaEHayaEFisiA5\n"
                       "VI/7OOAaMAAWoVz+T7BJIz2+rxo+D4yJg5rEd39w/uPJQbbQr7HOadYCoAWhX4fi\n"
                       "fDP1nIQC+ScUYaYg4PWarKFpoFCZtZVlhSNnNvDnL2689X3/r1kOdTarj7D4y/KK\n"
                       "Mn7RC6q6TgkmmurAQmABe1LkN+J0f1LBCTDtN4ATPm32g4rYbB2SlAb0GxDxrs/C\n"
                       "NNcJTjqjAgMBAAECggEAEFmc9ORG4q602y5dv+nIex90E2p3/0aIrxj4v213BFa3\n"
                       "qEozp/ii60kEZdjrFhMysqihigqjrKQez7iW2/rQDckESlLtzWq0aqN3/xXZTe/n\n"
                       "JwHHwtmQc/WCJejAsp+L7hj0U663TzOSxpzdXLKpBNiVgaLFaOqvK5Vp3pT1eYXL\n"
                       "Zv3eLebeJDr/LNC8urgJJFmzY18D3nltiIORRsBvUikivQ2NeCdOx2gzuCmD/vVO\n"
                       "28ROLe+WW4MPZTK9swJDZSMuKSISfo2IU/GEs8vbLq0Gdh9mqtqND/BcsGCL2B+m\n"
                       "/DsjjdGQcpX/ATkI7cEyzTGVfPhzCfGQMbnTetWC0QKBgQDR1ix6kbjRI6A+q3+D\n"
                       "r35muzxvkxgsbvgmr4a5utbJvS20k2DzMgjApBKq1WqIRuqM2o7oUoAVaTDhO7bY\n"
                       "MOMmCbxXQxForDWaW0kJGzw9BBCZzZbNr2IXsfw8WLp86kp3WLcjeTqYswjC/qll\n"
                       "uvUmaWTzJp0hH5DnfvIJFssKMwKBgQDLWt0P/+OxvjOj6Lz7LjlStJrSxTaFXt+5\n"
                       "NZ99H7lwf1H9/sVh2IhnqzzfaFYIVuH6gJn2vFE34HWL6+yY4Boi1aD8tIaAL2+f\n"
                       "JfAk6toKyoV3+7yo/hxl60kkpwmpxOzVW+5D+NTkLxxMFPsXmorqFVtVP8P8B9p7\n"
                       "ZV5GIDB90QKBgH8ZSzeyrE+BVL6hAkuxMM7o+mJapnnDfWtxRhmZoh/wBo8p9b9Y\n"
                       "vxRwTR5Mxopk6g0HFSiDUDGn1YOXt9ibQ/r2Sq5QYWsVZCJqyIJLjOEoZSXD8WQE\n"
                       "p1XS6QVkeRDQmOpRQhyqgWOcjeIOfmywIW1yyUK+UM6PYCXYLqJyu+khAoGBAJIf\n"
                       "/9wAX6iYaVkt46aGx7AzkVFFX3ElBJR9ANcTldhN1Sg0C7fMte/wr3RF8BRcAlRU\n"
                       "Vs5i8eW6CB18cW5FEuLXKbCNNF0mOQpeY5rTm8zHTHM0VJQGzXc7RDrvQNVaaWjD\n"
                       "f4oeYzR42ded9/Q1G/8rS48NnBIdvpSO+dhgRxgRAoGAIecNVowJ/rxgig+p6hnl\n"
                       "l67afi6nqbU9v/Ypd/Uj4Ko/OV45q4JaiiFcKKH696RuI/WbqksV2TPaxhHCKYUn\n"
                       "LuLJOKhGqbBlDuTGsVWNlq7d5u3+QBxIpmCGqb5FZHRSb/YSCRvLIZC+4R781hAR\n"
                       "Q8OlBXF7ApStaA31lNcps8E=\n"
                       "-----END PRIVATE KEY-----\n";

const char key_rsa_pkcs1[] = "-----BEGIN RSA PRIVATE KEY-----\n"
                             "MIIEowIBAAKCAQEApq9Pw9ZWLLRg2CBfgYEuNeCgreMvUa1yLUPAid/hfO7bLyoS\n"
                             "C+srGtub//kHRHJSYyvpkRnaf4s32FARERc85IuKp/sRKE0CqXDc4OmJHu45BcBv\n"
                             "DPmpDFLV3UVLsqyS2hB2smhBYrIgOVSP+zjgGjAAFqFc/k+wSSM9vq8aPg+MiYOa\n"
                             "xHd/cP7jyUG20K+xzmnWAqAFoV+H4nwz9ZyEAvknFGGmIOD1mqyhaaBQmbWVZYUj\n"
                             "Zzbw5y9uvPV9/69ZDnU2q4+w+MvyijJ+0Ququk4JJprqwEJgAXtS5DfidH9SwQkw\n"
                             "7TeAEz5t9oOK2GwdkpQG9BsQ8a7PwjTXCU46owIDAQABAoIBABBZnPTkRuKutNsu\n"
                             "Xb/pyHsfdBNqd/9GiK8Y+L9tdwRWt6hKM6f4outJBGXY6xYTMrKooYoKo6ykHs+4\n"
                             "ltv60A3JBEpS7c1qtGqjd/8V2U3v5ycBx8LZkHP1giXowLKfi+4Y9FOut08zksac\n"
                             "3VyyqQTYlYGixWjqryuVad6U9XmFy2b93i3m3iQ6/yzQvLq4CSRZs2NfA955bYiD\n"
                             "kUbAb1IpIr0NjXgnTsdoM7gpg/71TtvETi3vlluDD2UyvbMCQ2UjLikiEn6NiFPx\n"
                             "hLPL2y6tBnYfZqrajQ/wXLBgi9gfpvw7I43RkHKV/wE5CO3BMs0xlXz4cwnxkDG5\n"
                             "03rVgtECgYEA0dYsepG40SOgPqt/g69+Zrs8b5MYLG74Jq+GubrWyb0ttJNg8zII\n"
                             "wKQSqtVqiEbqjNqO6FKAFWkw4Tu22DDjJgm8V0MRaKw1mltJCRs8PQQQmc2Wza9i\n"
                             "F7H8PFi6fOpKd1i3I3k6mLMIwv6pZbr1Jmlk8yadIR+Q537yCRbLCjMCgYEAy1rd\n"
                             "D//jsb4zo+i8+y45UrSa0sU2hV7fuTWffR+5cH9R/f7FYdiIZ6s832hWCFbh+oCZ\n"
                             "9rxRN+B1i+vsmOAaItWg/LSGgC9vnyXwJOraCsqFd/u8qP4cZetJJKcJqcTs1Vvu\n"
                             "Q/jU5C8cTBT7F5qK6hVbVT/D/Afae2VeRiAwfdECgYB/GUs3sqxPgVS+oQJLsTDO\n"
                             "6PpiWqZ5w31rcUYZmaIf8AaPKfW/WL8UcE0eTMaKZOoNBxUog1Axp9WDl7fYm0P6\n"
                             "9kquUGFrFWQiasiCS4zhKGUlw/FkBKdV0ukFZHkQ0JjqUUIcqoFjnI3iDn5ssCFt\n"
                             "cslCvlDOj2Al2C6icrvpIQKBgQCSH//cAF+omGlZLeOmhsewM5FRRV9xJQSUfQDX\n"
                             "E5XYTdUoNAu3zLXv8K90RfAUXAJUVFbOYvHluggdfHFuRRLi1ymwjTRdJjkKXmOa\n"
                             "05vMx0xzNFSUBs13O0Q670DVWmlow3+KHmM0eNnXnff0NRv/K0uPDZwSHb6UjvnY\n"
                             "YEcYEQKBgCHnDVaMCf68YIoPqeoZ5Zeu2n4up6m1Pb/2KXf1I+CqPzleOauCWooh\n"
                             "XCih+vekbiP1m6pLFdkz2sYRwimFJy7iyTioRqmwZQ7kxrFVjZau3ebt/kAcSKZg\n"
                             "hqm+RWR0Um/2EgkbyyGQvuEe/NYQEUPDpQVxewKUrWgN9ZTXKbPB\n"
                             "-----END RSA PRIVATE KEY-----\n";

const char key_rsa_public[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEApq9Pw9ZWLLRg2CBfgYEu\n"
                              "NeCgreMvUa1yLUPAid/hfO7bLyoSC+srGtub//kHRHJSYyvpkRnaf4s32FARERc8\n"
                              "5IuKp/sRKE0CqXDc4OmJHu45BcBvDPmpDFLV3UVLsqyS2hB2smhBYrIgOVSP+zjg\n"
                              "GjAAFqFc/k+wSSM9vq8aPg+MiYOaxHd/cP7jyUG20K+xzmnWAqAFoV+H4nwz9ZyE\n"
                              "AvknFGGmIOD1mqyhaaBQmbWVZYUjZzbw5y9uvPV9/69ZDnU2q4+w+MvyijJ+0Quq\n"
                              "uk4JJprqwEJgAXtS5DfidH9SwQkw7TeAEz5t9oOK2GwdkpQG9BsQ8a7PwjTXCU46\n"
                              "owIDAQAB\n"
                              "-----END PUBLIC KEY-----\n";

const char key_rsa_public_pkcs1[] =
    "-----BEGIN RSA PUBLIC KEY-----\n"
    "MIIBCgKCAQEApq9Pw9ZWLLRg2CBfgYEuNeCgreMvUa1yLUPAid/hfO7bLyoSC+sr\n"
    "Gtub//kHRHJSYyvpkRnaf4s32FARERc85IuKp/sRKE0CqXDc4OmJHu45BcBvDPmp\n"
    "DFLV3UVLsqyS2hB2smhBYrIgOVSP+zjgGjAAFqFc/k+wSSM9vq8aPg+MiYOaxHd/\n"
    "cP7jyUG20K+xzmnWAqAFoV+H4nwz9ZyEAvknFGGmIOD1mqyhaaBQmbWVZYUjZzbw\n"
    "5y9uvPV9/69ZDnU2q4+w+MvyijJ+0Ququk4JJprqwEJgAXtS5DfidH9SwQkw7TeA\n"
    "Ez5t9oOK2GwdkpQG9BsQ8a7PwjTXCU46owIDAQAB\n"
    "-----END RSA PUBLIC KEY-----\n";

const char key_rsa_short_public[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBITANBgkqhkiG9w0BAQEFAAOCAQ4AMIIBCQKCAQAAuCJKajVDTEMAEnz7hQsx\n"
    "8BjWfNT1XEIStnRLrOqJEBxcbhoRK3Wl0gaKAOZZHyK37SBDYXabxuAb9r+ttzux\n"
    "y8+NF4CiHuuDMQFsJFSTK/jULn6a9ekJVz3TbOKAyiv6I91GdYYxkd3eiFW62du0\n"
    "+akEFvu+tLR03cdzWEL/883AC9pxpPTv42kiwJQKn83v/6Nr2wTYnGZbdD/vpv1D\n"
    "OEXUMgsoFTamDKf+VVrjUa4W4qZVP+Vv2LvFJExTUzWskZGgl7Orco5o6HTGimDn\n"
    "lZUvgZJ0sHGGYdzN2x29as0KXSnRZji36mjYJZ2DTaQXSjP51DF1m6W9giax23eb\n"
    "AgMBAAE=\n"
    "-----END PUBLIC KEY-----\n";

const char key_rsa_pss_public[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIDALBgkqhkiG9w0BAQoDggEPADCCAQoCggEBAKm0lGuF85VJTpKulyUrw8WT\n"
    "DD7IVfmja5pCbGvVmP+WUNi4YikFkldpf/K2taaC0DhYPODXo2s9x+rckGlZG7xh\n"
    "ITP/veuQHOKOJyybX/yMkoJxw1hutQq2k0yEOXmizrrzNzpTlGSOayLjhtZII3h9\n"
    "g9+CtiAthDgQTenMgyKAKp9wSFHgxDAOLB/Ajm8UPzMnSUwg+GbURxCtg/3vaWeA\n"
    "bksrNbZIjfJmQw2Axi6h3FUlwGbL11L9yVHRVqEdSbERYxviQ0gGgDtiyNdZIW/p\n"
    "7nRCnl2+QbzzxgUn+gUZs0XEgG3yc1vvxSGsC5a/ecfm7lH8GIdr86SD37Stou8C\n"
    "AwEAAQ==\n"
    "-----END PUBLIC KEY-----\n";

const char key_p256[] = "-----BEGIN PRIVATE KEY-----\n"
                        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgIelv10vYvNWsKkGS\n"
                        "PCBSiKre2MfvMAwCUE18IOrxqjehRANCAASkIkwZgl2ogFzRx5+GmmtyKl95XMhn\n"
                        "eotdUldoIWnLlyL9Kaa+ibtkbAYI8kYKZmBhRJfW6/dpvWBaWorIQ2SO\n"
                        "-----END PRIVATE KEY-----\n";

const char key_p256_public[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpCJMGYJdqIBc0cefhpprcipfeVzI\n"
                               "Z3qLXVJXaCFpy5ci/Smmvom7ZGwGCPJGCmZgYUSX1uv3ab1gWlqKyENkjg==\n"
                               "-----END PUBLIC KEY-----\n";

const char key_p256_certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBcjCCARmgAwIBAgIUROSZ0vh1Kl5Kbvk2j2w1u2CbEFswCgYIKoZIzj0EAwIw\n"
    "DzENMAsGA1UEAwwEdGVzdDAeFw0yNjExMjExNDUwMTlaFw0zNjExMTgxNDUwMTla\n"
    "MA8xDTALBgNVBAMMBHRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASkIkwZ\n"
    "gl2ogFzRx5+GmmtyKl95XMhneotdUldoIWnLlyL9Kaa+ibtkbAYI8kYKZmBhRJfW\n"
    "6/dpvWBaWorIQ2SOo1MwUTAdBgNVHQ4EFgQUS8IPgH8MKo1k+NsvMd8WNCdSqGAw\n"
    "HwYDVR0jBBgwFoAUS8IPgH8MKo1k+NsvMd8WNCdSqGAwDwYDVR0TAQH/BAUwAwEB\n"
    "/zAKBggqhkjOPQQDAgNHADBEAiBTS2wwGJI0UUqKVDNPDbjzMDJpqbnh9sAI4MoW\n"
    "xMpepwIgQBm2oALJA39SNjQZG46eo23yAaFL56oqfZ2NNhivz9M=\n"
    "-----END CERTIFICATE-----\n";

const char key_p256_encrypted[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjuOIdXcRGT5wICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEDBaljHXvTAbjciaC3H06d8EgZDg\n"
    "BZmNIdqjSeqNtJLWmAn2vVbLeLwuCeGIwdz7Jqx6di66KrCBGOtFAmkwjxgF/S9p\n"
    "Hu/wYc5Qh3eI3Dj8O5u84ix4fXEFNdxr5BPtt9hJSh8tV8dvDL8oo8laXHscZy8g\n"
    "nZx8KO67aJvIynOedsslXQJzOeG95wOg+mvR9DyQpemr/dRx3aY9etmfIolPyGU=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

const char key_p256_sec1[] = "-----BEGIN EC PARAMETERS-----\n"
                             "BggqhkjOPQMBBw==\n"
                             "-----END EC PARAMETERS-----\n"
                             "-----BEGIN EC PRIVATE KEY-----\n"
                             "MHcCAQEEIHiJle2FYKyEW/S9l7E1ECamPyoMNHNoCI4l2jf1oWYvoAoGCCqGSM49\n"
                             "AwEHoUQDQgAERzULykm2qZPX9Gix70k8NYGOC0JH1yJKY9C7eOpjGOfmnQq3jnxF\n"
                             "Hp4XesVZarDDhQC+UYixzBm3JaXL033kAQ==\n"
                             "-----END EC PRIVATE KEY-----\n";

const char key_p384[] = "-----BEGIN PRIVATE KEY-----\n"
                        "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDAiAvs5WJxdJugpFxc7\n"
                        "TV+DUZD9N+pllBaN8nlIHuu8xuK7dwZqhDcVrGGedG0wrQ2hZANiAARJ0GME/Dfh\n"
                        "8BU2fIKc54railuRAI+xkOn5grjsbmOx6ONVt3zTfxASyMR6R54QsDjGd7fdRipl\n"
                        "TkfLUrUDH8iiR3RLbvkKfAYfbky5LyK332S3RGdjzUC6mKpD1cGjFtw=\n"
                        "-----END PRIVATE KEY-----\n";

const char key_p384_public[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAESdBjBPw34fAVNnyCnOeK2opbkQCPsZDp\n"
                               "+YK47G5jsejjVbd8038QEsjEekeeELA4xne33UYqZU5Hy1K1Ax/Iokd0S275CnwG\n"
                               "H25MuS8it99kt0RnY81AupiqQ9XBoxbc\n"
                               "-----END PUBLIC KEY-----\n";

const char key_p521[] = "-----BEGIN PRIVATE KEY-----\n"
                        "MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIAIijRevgNEDwATDFf\n"
                        "N3Wx1YOgbuPa3vnYA/YLcECW3yGIJu5/0yR3odlliMF7iuHVcxG7hANcc2AqKM+W\n"
                        "dwA3Y9yhgYkDgYYABAAIl0mlctnbEYp1FflfR7/sGdUE0Jpw3T4EopZC0PXW2sfA\n"
                        "8Ie4VsTJkjEhQ/UW1S6cQNPV1ffMMa46jWt7qTz/lgH+wppiQitnG4ZGv68YRo+s\n"
                        "QbRB1gRXzfqaPulDP3iaP25hert/tfEX4mL1z4JgFWK4z0sZju8E1JCyfsQoqplN\n"
                        "Og==\n"
                        "-----END PRIVATE KEY-----\n";

const char key_p521_public[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQACJdJpXLZ2xGKdRX5X0e/7BnVBNCa\n"
                               "cN0+BKKWQtD11trHwPCHuFbEyZIxIUP1FtUunEDT1dX3zDGuOo1re6k8/5YB/sKa\n"
                               "YkIrZxuGRr+vGEaPrEG0QdYEV836mj7pQz94mj9uYXq7f7XxF+Ji9c+CYBViuM9L\n"
                               "GY7vBNSQsn7EKKqZTTo=\n"
                               "-----END PUBLIC KEY-----\n";

const char key_k256_public[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAE5MgreORIpMBVwyNAbGoYsfiEaKAHaE9U\n"
                               "sM7KT1eX4PV/G3RwWp45E4HKRs8cihTPlQxSiresJ/kmoecnXxuezg==\n"
                               "-----END PUBLIC KEY-----\n";

const char key_ed25519[] = "-----BEGIN PRIVATE KEY-----\n"
                           "MC4CAQAwBQYDK2VwBCIEIF4MZUJQERtYewUCVvOUT62pWh87WuWV2SPxPvS2kG96\n"
                           "-----END PRIVATE KEY-----\n";

const char key_ed25519_public[] = "-----BEGIN PUBLIC KEY-----\n"
                                  "MCowBQYDK2VwAyEAsgnOmZOgYkEKUh4SxFejOdwpnPzOxl8fASUmsfpN7W8=\n"
                                  "-----END PUBLIC KEY-----\n";

const char key_ed448_public[] = "-----BEGIN PUBLIC KEY-----\n"
                                "MEMwBQYDK2VxAzoAYxZfsyY36Ky5iwL+Q1daOq5AJL2vhyG9XwIMwOZ2MCbW13Hs\n"
                                "HH+Fn5bIxFPC1/x3Cui9K9lVxTQA\n"
                                "-----END PUBLIC KEY-----\n";
