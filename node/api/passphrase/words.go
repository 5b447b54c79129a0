package passphrase

// common are words and passwords of German and Russian speakers, the most common of
// both first.
const common = `
ichliebedich ялюблютебя ilovestarling
ich я du ты das это ist не und и der на die что nicht он ein в es как sie то wir мы mit по zu все
passwort пароль hallo привет liebe любовь schatz солнце geheim тайна ficken люблю sommer лето winter зима
mein мой dein твой ja да nein нет was кто wo где wie так auf за an от für для von из den у dem же
eine она einen они sich себя auch тоже als когда aber но so вот nur только noch ещё wenn если dann потом
kann могу muss надо will хочу soll буду hat есть habe был bin была war было sein быть haben иметь werden стать
gut хорошо sehr очень mehr больше immer всегда nie никогда hier здесь jetzt сейчас heute сегодня morgen завтра gestern вчера
mann человек frau женщина kind ребёнок mutter мама vater папа bruder брат schwester сестра freund друг freundin подруга oma бабушка opa дедушка
haus дом hund собака katze кошка kater кот pferd лошадь vogel птица fisch рыба maus мышь bär медведь wolf волк löwe лев tiger тигр
stern звезда sonne луна mond небо himmel море meer река fluss гора berg лес wald дерево baum цветок blume роза rose
wasser вода feuer огонь erde земля luft воздух licht свет nacht ночь tag день jahr год zeit время leben жизнь tod смерть
welt мир land страна stadt город dorf деревня strasse улица weg дорога auto машина zug поезд schiff корабль flugzeug самолёт
berlin москва hamburg питер münchen россия köln украина wien киев schweiz минск deutschland казахстан österreich сибирь bayern кавказ
fussball футбол bayern спартак schalke зенит dortmund динамо werder цска borussia локомотив
gott бог jesus христос engel ангел teufel чёрт himmel рай hölle ад kirche церковь glaube вера hoffnung надежда frieden победа
michael саша thomas александр andreas сергей stefan дмитрий peter андрей christian алексей martin максим daniel иван alexander николай
sabine наташа petra мария susanne анна claudia елена andrea ольга anna татьяна maria ирина julia светлана lisa катя laura настя
schwarz чёрный weiss белый rot красный blau синий grün зелёный gelb жёлтый gold золото silber серебро
eins один zwei два drei три vier четыре fünf пять sechs шесть sieben семь acht восемь neun девять zehn десять hundert сто tausend тысяча
gross большой klein маленький alt старый neu новый schön красивый süss сладкий lieb милый böse злой gut добрый
kaffee кофе tee чай bier пиво wein вино brot хлеб käse сыр milch молоко kuchen торт schokolade шоколад apfel яблоко kartoffel картошка
schule школа arbeit работа chef начальник firma завод büro офис lehrer учитель student студент universität университет
computer компьютер internet интернет handy телефон telefon почта post письмо brief сообщение nachricht секрет
zuhause дома heimat родина familia семья familie дружба freundschaft счастье glück удача danke спасибо bitte пожалуйста tschüss пока
januar январь februar февраль märz март april апрель mai май juni июнь juli июль august август september сентябрь oktober октябрь november ноябрь dezember декабрь
montag понедельник dienstag вторник mittwoch среда donnerstag четверг freitag пятница samstag суббота sonntag воскресенье frühling весна herbst осень
schmetterling бабочка hase заяц prinzessin принцесса könig король königin королева drache дракон held герой krieger воин meister мастер
dich тебя mich меня dir тебе mir мне uns нас euch вас ihr вы ihm ему nächsten ближний
schlafen спать essen есть trinken пить gehen идти kommen прийти sehen видеть machen делать sagen говорить wissen знать denken думать leben жить lieben любить
heisst зовут heissen имя name фамилия willkommen добро geburtstag рождение weihnachten рождество ostern пасха
qwertz йцукен qwertzuiop йцукенг asdfgh фыва yxcvbn ячсмить qwert123 абвгд
zugang вход anmeldung доступ schlüssel ключ sicher надёжно sicherheit защита testtest проверка test тест
niemand никто alles всё nichts ничего etwas что-то warum почему weil потому ohne без durch через über над unter под zwischen между
`
